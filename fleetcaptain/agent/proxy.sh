# The proxy of the app's public services: an HAProxy in a container of its own, which this machine's unit of the proxy
# keeps running and configured. The container goes on while the unit ends and starts again, so an update loses no request.
#
# Files in the folder `proxy`: config/, which root writes and the container reads (haproxy.cfg, pem-N); run/, the sockets,
# which the container's user writes; container, the name of the one that serves; ready-<run>: it does, for that run of
# the unit. The unit's alive check asks for that, too.

PROXY=$FOLDER/proxy
PROXY_LABEL=fleetcaptain.proxy=$APP
# No program of the machine has it. The image lets HAProxy open ports below 1024 without root.
PROXY_USER=65532
# The version of the arguments of `docker run`.
PROXY_FORM=1
# Between two readings of the registrations, whoever writes them. Public services go on longer once they are unregistered.
PROXY_PAUSE_SEC=1
PROXY_POLL_SEC=60
PROXY_RETRY_SEC=5
# In which a new container answers.
PROXY_BEGIN_SEC=30
# How long a container outlives its unit, which comes back sooner in an update, and a connection its container.
PROXY_ORPHAN_SEC=60
PROXY_DRAIN=1h
# Each change of the servers leaves a process until its connections end, of 10 to 20 MB; after so many it is ended. More
# memory than those need is a fault, which must not take the machine's other containers down.
PROXY_RELOADS=50
PROXY_MEMORY=2g

# noreuseport: else the proxies of two apps would share a port, and each get some of the connections.
PROXY_BEGIN="global
  fd-hard-limit 50000
  noreuseport
  hard-stop-after $PROXY_DRAIN
  mworker-max-reloads $PROXY_RELOADS
  stats socket \"\${SOCKETS}.stats\" mode 600 level admin expose-fd listeners
defaults any
  timeout connect 1s
  timeout client $PROXY_DRAIN
  timeout server $PROXY_DRAIN
  option redispatch 1
  retries 5
  default-server check inter 60s fastinter 500ms downinter 500ms fall 3 rise 1 observe layer4 error-limit 1 on-error mark-down
defaults tcp from any
  mode tcp
  balance leastconn
defaults http from any
  mode http
  timeout http-request 30s
  timeout http-keep-alive 30s
  option http-server-close
  option idle-close-on-response
  retry-on conn-failure empty-response
backend unknown from http
  http-request return status 404 content-type text/plain string \"No service has this address.\""

# proxy UNIT IMAGE: the main process of the proxy's unit.
proxy() {
  describe "$1" || exit
  IMAGE=$2
  READY=$PROXY/ready-$INVOCATION_ID
  ROUTED=' ' LISTENING=' '
  while read -r _ port _ _ services _; do
    ROUTED="$ROUTED${services%,*} ${services#*,} "
    case $LISTENING in
    *" $port "*) ;;
    *) LISTENING="$LISTENING$port " ;;
    esac
  done <<EOF
$(setting Route)
EOF
  # A container with another image, other ports or other arguments is replaced. One that cannot open a port ends, and the
  # one before goes on: were that to load another port, it would pause its own until it had it.
  PROXY_KIND="$PROXY_FORM$LISTENING$IMAGE"
  CONFIG='' LOADED='' SERVERS='' INDEX='' POLL='' WATCHED='' ENDED='' HEARD='' STARTING='' WATCHER=''
  PROGRAM=$(sha256sum <"$0")
  trap end_proxy TERM INT
  # See watch_container. Nothing that may take long waits for the signal unless ENDED is looked at before.
  trap "ENDED=yes WATCHED=''; stop_poll" USR1
  mkdir -p "$PROXY/config" "$PROXY/run"
  chmod 755 "$PROXY/config" && chown "$PROXY_USER" "$PROXY/run" || exit
  rm -f "$PROXY"/ready-*
  timeout 20 systemctl stop "$APP-proxy-end.timer" "$APP-proxy-end.service" 2>/dev/null
  copy_certificates || exit
  while :; do
    ENDED=''
    if read_servers && write_config && serve_config; then
      : >"$READY"
      pause "$PROXY_PAUSE_SEC"
      await_change
    else
      [ "$ANSWERED" = yes ] || serve_config
      pause "$PROXY_RETRY_SEC"
    fi
    [ "$PROGRAM" = "$(sha256sum <"$0")" ] || begin_again "$@"
  done
}

# begin_again UNIT IMAGE: goes on as the program that the agent's unit has installed meanwhile.
begin_again() {
  # Its signal would end a program that does not expect it yet.
  [ ! "$WATCHER" ] || {
    kill "$WATCHER" 2>/dev/null
    wait "$WATCHER"
  }
  exec /bin/sh "$0" proxy "$@"
}

# copy_certificates: the container's user reads copies of the unit's files, which are removed while it goes on.
copy_certificates() {
  rm -f "$PROXY/config"/pem-*
  for file in "$FOLDER/secrets/$UNIT"/file-*; do
    [ -f "$file" ] || continue
    copy=$PROXY/config/pem-${file##*-}
    cp "$file" "$copy" && chown "$PROXY_USER" "$copy" && chmod 400 "$copy" || return
  done
}

# read_servers: sets SERVERS, the line "SERVICE ADDRESS:PORT" for each registration that takes requests, sorted; INDEX,
# etcd's at that time; and ANSWERED. Fails, and changes no server, while etcd does not answer.
read_servers() {
  ANSWERED=no
  ask 5 -D "$PROXY/headers" "$KEYS/services?recursive=true"
  case $STATUS in
  200 | 404) ;;
  *)
    say_once proxy-etcd "the proxy goes on with the servers that it has: etcd answered $STATUS: ${ANSWER%%"$NEWLINE"*}"
    return 1
    ;;
  esac
  forget proxy-etcd
  ANSWERED=yes INDEX=0
  while read -r name value; do
    case $name in
    [Xx]-[Ee]tcd-[Ii]ndex:) INDEX=${value%%[!0-9]*} ;;
    esac
  done <"$PROXY/headers"
  found=$(serving | LC_ALL=C sort -u)
  SERVERS='' left_out=''
  while read -r service address key; do
    case $address in
    '') ;;
    -) left_out=$key ;;
    *) SERVERS="$SERVERS$service $address$NEWLINE" ;;
    esac
  done <<EOF
$found
EOF
  if [ "$left_out" ]; then
    say_once proxy-address "the proxy leaves out registrations without an IPv4 address of a machine, such as $left_out"
  else
    forget proxy-address
  fi
}

# serving: the line "SERVICE ADDRESS:PORT" for each registration in ANSWER of a service with a route that neither drains
# nor fails; "SERVICE - KEY" if its address cannot be used. Guests write all of it: see listed.
serving() (
  set -f
  IFS='{'
  key='' address='' in_connection=no out=no
  for part in $ANSWER; do
    if [ ${#part} -gt 8192 ]; then
      key=''
      continue
    fi
    case $part in
    '"key":"'*'","value":"'*)
      key=${part#'"key":"'}
      key=${key%%'"'*}
      address='' in_connection=no out=no
      ;;
    esac
    if [ "$in_connection" = yes ]; then
      connection=${part%%'}'*}
      host=${connection#*'\"host\":\"'}
      port=${connection#*'\"port\":'}
      address=${host%%'\"'*}:${port%%[!0-9]*}
      in_connection=no
    fi
    case $part in
    *'\"connection\":') in_connection=yes ;;
    esac
    case $part in
    *'\"failing\":'* | *'\"draining\":true'*) out=yes ;;
    esac
    case $part in
    *'"modifiedIndex":'*)
      name=${key#"/fleetcaptain/$APP/services/"}
      service=${name%%/*}
      case $out$name in
      yes* | *[!A-Za-z0-9/@:._-]* | */*/*) ;;
      *)
        case $ROUTED in
        *" ${service:--} "*)
          is_server "$address" || address="- $key"
          say "$service $address"
          ;;
        esac
        ;;
      esac
      key=''
      ;;
    esac
  done
)

# is_server ADDRESS:PORT: whether it can be a machine's. The loopback, and the addresses that clouds give their services
# for machines, would be another thing on each of them.
is_server() {
  case $1 in
  0.* | 127.* | 169.254.* | 22[4-9].* | 2[3-9]?.*) return 1 ;;
  *:*[!0-9]* | *: | *:0* | *:??????*) return 1 ;;
  esac
  [ "${1##*:}" -le 65535 ] || return
  rest=${1%:*}.
  for _ in 1 2 3 4; do
    octet=${rest%%.*}
    rest=${rest#*.}
    case $octet in
    '' | *[!0-9]* | 0?* | ????*) return 1 ;;
    esac
    [ "$octet" -le 255 ] || return
  done
  [ ! "$rest" ]
}

# certificates PORT: the words of its `bind` with the certificates of its routes. Of several HAProxy takes the one for the
# name that a client asks for, else the first.
certificates() {
  setting Route | {
    named=' '
    while read -r _ port _ _ _ file; do
      [ "$port" = "$1" ] || continue
      case $named in
      *" $file "*) ;;
      *) named="$named$file " && printf ' crt /proxy/config/pem-%s' "$file" ;;
      esac
    done
  }
}

# proxy_config: the configuration for the unit's routes and SERVERS. A request on a connection that an old process still
# has goes on to the new one, by a socket of the same frontend: it alone knows the servers of now.
proxy_config() {
  say "$PROXY_BEGIN"
  port_before='' backends=' '
  while read -r kind port host path services file; do
    [ "$kind" ] || continue
    service=${services%,*}
    if [ "$port" != "$port_before" ]; then
      port_before=$port
      say "frontend $port from $kind"
      case $kind in
      tcp) say "  bind :$port" ;;
      http)
        scheme=http tls=''
        [ "$file" = - ] || scheme=https tls=" ssl$(certificates "$port") alpn h2,http/1.1"
        say "  bind :$port$tls"
        say "  bind unix@/proxy/run/next-$port mode 600 accept-proxy"
        say "  http-request set-header X-Forwarded-Proto $scheme"
        say "  use_backend next-$port if { stopping }"
        say '  default_backend unknown'
        backends="${backends}next-$port "
        ;;
      esac
    fi
    case $kind in
    tcp) say "  default_backend tcp-$service" ;;
    http)
      base=${path%/} match=''
      [ "$host" = - ] || match=" { req.hdr(host),host_only -i $host }"
      if [ "$base" ]; then
        say "  use_backend http-$service if$match { path $base }"
        match="$match { path_beg $base/ }"
      fi
      say "  use_backend http-$service${match:+ if$match}"
      ;;
    esac
    case $backends in
    *" $kind-$services "*) ;;
    *) backends="$backends$kind-$services " ;;
    esac
  done <<EOF
$(setting Route)
EOF
  for backend in $backends; do
    names=,${backend#*-},
    backend=${backend%,*}
    case $backend in
    next-*)
      say "backend $backend from http"
      say "  server next unix@/proxy/run/$backend no-check send-proxy-v2"
      ;;
    *)
      say "backend $backend from ${backend%%-*}"
      [ "${backend%%-*}" = tcp ] || {
        say '  option forwardfor'
        # A request with effects is sent again only if no server has it.
        say '  http-request disable-l7-retry if !METH_GET !METH_HEAD'
      }
      # In a rename both names may be registered with one address for a moment.
      printf '%s' "$SERVERS" | while read -r service address; do
        case $names in
        *",$service,"*) say "  server $address $address" ;;
        esac
      done | LC_ALL=C sort -u
      ;;
    esac
  done
}

# write_config: writes the configuration if it is another one.
write_config() {
  config=$(proxy_config)
  [ "$config" != "$CONFIG" ] || return 0
  say "$config" >"$PROXY/config/.new" && chmod 644 "$PROXY/config/.new" || return
  mv "$PROXY/config/.new" "$PROXY/config/haproxy.cfg" || return
  CONFIG=$config LOADED=''
}

# serve_config: has the container serve the configuration; starts one if none runs, or another kind. Fails when it could
# not, and says why.
serve_config() {
  [ -f "$PROXY/config/haproxy.cfg" ] || return
  # docker may take long to answer: while HAProxy does, it is not asked.
  { [ "$WATCHED" ] && hear "$WATCHED"; } || find_container || {
    rm -f "$READY"
    return 1
  }
  case $LOADED$HEARD in
  yes* | *Success=1*) ;;
  *)
    # Its processes go on as they are.
    say_new "the proxy goes on as it is, because it could not load its configuration: $(reasons "$HEARD")"
    return 1
    ;;
  esac
  LOADED=yes LAST_REASON=''
}

# hear CONTAINER: has its HAProxy load the configuration if it has not. Fails if it does not answer; HEARD is its answer.
hear() {
  command='show version;quit'
  [ "$LOADED" ] || command=reload
  HEARD=$(master "$1" "$command")
  [ "$HEARD" ]
}

# find_container: hears the container that serves, or starts one.
find_container() {
  serving=$(cat "$PROXY/container" 2>/dev/null)
  format='{{.State.Running}} {{index .Config.Labels "fleetcaptain.kind"}}'
  state=$(timeout 20 docker inspect -f "$format" "${serving:--}" 2>&1)
  case $state in
  "true $PROXY_KIND")
    # A start that was interrupted may have left another one, which takes connections and gets no changes.
    [ "$WATCHED" ] || soft_stop "$serving"
    watch_container "$serving"
    hear "$serving" && return
    say_new "the proxy's container $serving does not answer"
    return 1
    ;;
  'true '*) start_container "$serving" ;;
  'false '* | *[Nn]'o such '*) start_container '' ;;
  *)
    state=${state%%"$NEWLINE"*}
    say_new "Could not ask docker for the proxy: ${state:-it did not answer within 20 s}"
    return 1
    ;;
  esac
}

# sockets CONTAINER: the beginning of the names of its sockets. A path of a socket has at most 107 characters.
sockets() {
  say "run/${1##*.}"
}

# master CONTAINER COMMAND: what its HAProxy answers. curl connects to any socket so.
master() {
  printf '%s\n' "$2" | curl -s -m 20 --unix-socket "$PROXY/$(sockets "$1").master" telnet://haproxy 2>/dev/null
}

# reasons TEXT: what HAProxy says is wrong, in one line; all that it says if it calls nothing an error.
reasons() {
  found=$(printf '%s\n' "$1" | while IFS= read -r line; do
    case $line in
    *ALERT*) printf '%s ' "${line#*: }" ;;
    esac
  done)
  [ "$found" ] || found=$(printf '%s' "$1" | tail -n 5 | tr '\n' ' ')
  say "${found% }"
}

# start_container BEFORE: starts one, which takes the listening sockets of the one BEFORE, and then has all others end
# when their connections do.
start_container() {
  timeout 60 docker container prune -f --filter "label=$PROXY_LABEL" >/dev/null 2>&1
  clock
  # shellcheck disable=SC2153  # describe sets CONTAINER
  container=$CONTAINER.$NOW
  set -- "$1" haproxy -W -db -S "/proxy/$(sockets "$container").master,mode,600" -f /proxy/config/haproxy.cfg
  [ ! "$1" ] || set -- "$@" -x "/proxy/$(sockets "$1").stats"
  shift
  # docker pulls an image that is missing.
  set -- --read-only -v "$PROXY/config:/proxy/config:ro" -v "$PROXY/run:/proxy/run" "$IMAGE" "$@"
  set -- --memory "$PROXY_MEMORY" --network host --user "$PROXY_USER" --cap-drop ALL --cap-add NET_BIND_SERVICE "$@"
  set -- --log-driver json-file --log-opt max-size=1m -e "SOCKETS=/proxy/$(sockets "$container")" "$@"
  set -- --label "$PROXY_LABEL" --label "fleetcaptain.kind=$PROXY_KIND" "$@"
  STARTING=$container
  if ! output=$(docker run -d --name "$container" "$@" 2>&1); then
    docker rm -f "$container" >/dev/null 2>&1
    say_new "Could not start the proxy: $(printf '%s' "$output" | tr '\n' ' ')"
    return 1
  fi
  clock
  limit=$((NOW + PROXY_BEGIN_SEC))
  until [ "$(master "$container" 'show version;quit')" ]; do
    state=$(timeout 20 docker inspect -f '{{.State.Running}}' "$container" 2>&1)
    clock
    if [ "$state" != true ] || [ "$NOW" -ge "$limit" ]; then
      output=$(timeout 20 docker logs --tail 20 "$container" 2>&1)
      docker rm -f "$container" >/dev/null 2>&1
      say_new "Could not start the proxy: $(reasons "$output")"
      return 1
    fi
    sleep 0.2
  done
  say "$container" >"$PROXY/.container" && mv "$PROXY/.container" "$PROXY/container" || return
  STARTING='' LOADED=yes
  say "the proxy $container serves with the image $IMAGE"
  soft_stop "$container"
  watch_container "$container"
}

# soft_stop [KEPT]: has the app's proxies on this machine, apart from the container KEPT, end when their connections do.
# None of them is asked again.
soft_stop() {
  for one in $(timeout 20 docker ps --filter "label=$PROXY_LABEL" --format '{{.Names}}'); do
    [ "$one" = "${1-}" ] || timeout 20 docker kill -s USR1 "$one" >/dev/null 2>&1
  done
  for socket in "$PROXY/run"/*.master "$PROXY/run"/*.stats; do
    [ "${socket%.*}" = "$PROXY/$(sockets "${1-}")" ] || rm -f "$socket"
  done
}

# watch_container CONTAINER: wakes this process when it ends, or docker does.
watch_container() {
  [ "$WATCHED" != "$1" ] || return 0
  WATCHED=$1
  (
    docker wait "$1" >/dev/null 2>&1 &
    trap 'kill $!; exit' TERM
    # Not again at once when docker has ended, and not the container.
    wait $! || sleep 1
    kill -USR1 $$ 2>/dev/null
  ) &
  WATCHER=$!
}

# await_change: until a registration changes, the container ends, or a minute is over.
await_change() {
  changes="$KEYS/services?wait=true&recursive=true&waitIndex=$((INDEX + 1))"
  curl -sS -m "$PROXY_POLL_SEC" -o /dev/null "$changes" 2>/dev/null &
  POLL=$!
  [ "$ENDED" ] || wait "$POLL"
  stop_poll
}

stop_poll() {
  [ ! "$POLL" ] || kill "$POLL" 2>/dev/null
  POLL=''
}

# pause SECONDS, which a signal ends.
pause() {
  sleep "$1" &
  wait $!
}

# end_proxy: the unit stops. Its container goes on, for the next start.
end_proxy() {
  stop_poll
  # It has the listening sockets already, and nothing would tell it of other servers.
  [ ! "$STARTING" ] || timeout 20 docker kill -s USR1 "$STARTING" >/dev/null 2>&1
  rm -f "$PROXY/config"/pem-*
  end_later "$UNIT"
  exit 0
}

# end_later UNIT: ends its container after a minute, unless the next start comes before. Called at each end: systemd runs
# no further line of a unit that fleet removes, and kills a main process that takes too long.
end_later() {
  [ -f "$PROXY/container" ] || return 0
  timeout 20 systemctl stop "$APP-proxy-end.timer" 2>/dev/null
  systemd-run --quiet --collect --unit="$APP-proxy-end" --on-active="$PROXY_ORPHAN_SEC" \
    --timer-property=AccuracySec=1s -p SyslogIdentifier=fleetcaptain-agent \
    /bin/sh "$FOLDER/agent" proxyless "$1" ||
    say "the proxy's container goes on: remove it with \`docker rm -f \$(docker ps -q --filter label=$PROXY_LABEL)\`"
}

# proxyless UNIT: ends the container of a proxy whose unit did not come back, when its connections do.
proxyless() {
  # Neither, while it fails again and again before its main process begins, which would end this.
  until is_dead "$1"; do
    ! is_active "$1" || exit 0
    sleep 5
  done
  say "the proxy of $APP ends: its unit $1 did not come back"
  rm -f "$PROXY/container" "$PROXY/config"/pem-*
  soft_stop
  for one in $(docker ps -q --filter "label=$PROXY_LABEL"); do
    docker wait "$one" >/dev/null
  done
  docker container prune -f --filter "label=$PROXY_LABEL" >/dev/null
}
