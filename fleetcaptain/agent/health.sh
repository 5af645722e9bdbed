# What a load balancer asks this machine: whether the app's proxy serves here. So the machine leaves the balancer when its
# proxy is unregistered, before that stops.

RETURN=$(printf '\r')

# watch_health: has HEALTH_PORT answered with `health`, while it is set. By a unit of its own: were the agent to answer,
# the balancer would miss all machines while the agent gets another version. So that unit does not end with the agent's,
# but with the last public service, to leave the port to others.
watch_health() {
  if [ ! "${HEALTH_PORT-}" ]; then
    ! is_active "$APP-health.service" || timeout 20 systemctl stop "$APP-health.service"
    return 0
  fi
  ! is_active "$APP-health.service" || return 0
  why=$(systemd-run --quiet --collect --unit="$APP-health" -p Restart=always -p RestartSec=1 -p StartLimitIntervalSec=0 \
    -p SyslogIdentifier=fleetcaptain-agent -p EnvironmentFile=-/etc/environment \
    socat -T 10 "TCP4-LISTEN:$HEALTH_PORT,fork,reuseaddr,max-children=50" "EXEC:/bin/sh $FOLDER/agent health" 2>&1) || {
    say_once health "the load balancer gets no answer at port $HEALTH_PORT, so it sends nothing to this machine: $why." \
      "Run \`journalctl -u $APP-health\` here for the reason, and \`ss -ltnp sport = :$HEALTH_PORT\` for a program" \
      "that has the port. The agent tries again each minute"
    return 0
  }
  forget health
}

# health: answers the HTTP request "GET /APP-proxy" on standard input.
health() {
  read -r _ path _ || exit
  while read -r line && [ "${line%"$RETURN"}" ]; do :; done
  status='503 Service Unavailable'
  [ "$path" != "/$APP-proxy" ] || ! proxy_serves || status='200 OK'
  printf 'HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' "$status"
}

# proxy_serves: whether the proxy of this machine is registered, does not drain, and its container serves.
proxy_serves() {
  for file in "$FOLDER/services/$APP-proxy"/*; do
    value=$(cat "$file" 2>/dev/null) || continue
    case $value in
    *'"draining":true'*) continue ;;
    esac
    for ready in "$PROXY"/ready-*; do
      [ ! -f "$ready" ] || return 0
    done
  done
  return 1
}

# note_leave: notes how long the described unit goes on after it is unregistered.
note_leave() {
  seconds=$(setting Leave)
  [ "$seconds" ] || return 0
  mkdir -p "$FOLDER/leave" && say "$seconds" >"$FOLDER/leave/$UNIT"
}

# leave UNIT: waits until proxies, or the balancer, have seen that UNIT is unregistered. Not twice, and not after the end
# of its process.
leave() {
  [ -f "$FOLDER/leave/$1" ] || return 0
  read -r seconds <"$FOLDER/leave/$1"
  rm -f "$FOLDER/leave/$1"
  [ ! "${MAINPID-}" ] || sleep "$seconds"
}
