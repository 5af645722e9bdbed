# Ready and alive checks.

# locate PORT[/PROTOCOL]: sets ADDRESS and PORT, where the machine serves that port of the container. Fails while it is
# not published. docker is asked each time, so that another container that still has the port is not taken for this one.
locate() {
  ADDRESS=$HOST
  PORT=${1%/*}
  for published in $PORTS; do
    case $published in
    "$1="*) known=${published#*=} ;;
    "$1")
      case $1 in
      */*) known=$1 ;;
      *) known=$1/tcp ;;
      esac
      known=$(docker port "$CONTAINER" "$known" 2>/dev/null | head -n 1)
      [ "$known" ] || return
      ;;
    *) continue ;;
    esac
    PORT=${known##*:}
    case $known in
    0.0.0.0:* | '[::]':* | :::*) ;;
    *:*)
      ADDRESS=${known%:*}
      ADDRESS=${ADDRESS#'['}
      ADDRESS=${ADDRESS%']'}
      ;;
    esac
    return 0
  done
}

# prepare NAME: sets KIND, NUMBER, TARGET, NAME_HEADER and HEADERS of the check NAME (Ready or Alive) of the unit, with
# what systemd would replace. "http 80 /path", "https 443 /path", "tcp 6379", "command LINE" or "running".
prepare() {
  check=$(setting "$1")
  KIND=${check%% *}
  check=${check#"$KIND"}
  check=${check# }
  NUMBER='' TARGET=''
  case $KIND in
  http | https)
    NUMBER=${check%% *}
    TARGET=$(expanded "${check#* }")
    ;;
  tcp) NUMBER=$check ;;
  command) TARGET=$(expanded "$check") ;;
  esac
  NAME_HEADER=$(expanded "$(setting "$1Host")")
  HEADERS=$(expanded "$(setting "$1Header")")
  INSIDE=$(setting Container)
}

# described: the prepared check for people.
described() {
  case $KIND in
  http | https) say "GET $TARGET on container port $NUMBER" ;;
  tcp) say "a connection to container port $NUMBER" ;;
  command) say 'its command' ;;
  *) say 'its container' ;;
  esac
}

# holds: whether the prepared check holds now.
holds() {
  case $KIND in
  http | https | tcp) locate "$NUMBER" || return ;;
  esac
  passes
}

# passes: whether the prepared check holds now, at ADDRESS and PORT. It takes at most 6 s.
passes() {
  case $KIND in
  http | https) http_passes ;;
  tcp) tcp_passes ;;
  command)
    if [ "$INSIDE" = no ]; then
      timeout -k 1 5 sh -c "$TARGET" >/dev/null 2>&1
    else
      timeout -k 1 5 docker exec "$CONTAINER" sh -c "$TARGET" >/dev/null 2>&1
    fi
    ;;
  *)
    [ "$(docker inspect -f '{{.State.Running}}' "$CONTAINER" 2>/dev/null)" = true ]
    ;;
  esac
}

# The request goes to the address that docker published, not to the one of NAME_HEADER in DNS. The certificate is the
# container's own. -g: brackets are literal. Sets CODE, the status of the answer, 000 for none.
http_passes() {
  set -- -fsg --path-as-is -m 2 -o /dev/null -w '%{http_code}'
  [ "$KIND" = http ] || set -- "$@" -k
  where=$(bracketed):$PORT
  if [ "$NAME_HEADER" ]; then
    set -- "$@" --connect-to "::$where"
    where=$NAME_HEADER
  fi
  headers=$HEADERS
  while [ "$headers" ]; do
    set -- "$@" -H "${headers%%"$NEWLINE"*}"
    case $headers in
    *"$NEWLINE"*) headers=${headers#*"$NEWLINE"} ;;
    *) headers='' ;;
    esac
  done
  CODE=$(curl "$@" "$KIND://$where$TARGET" 2>/dev/null) && return
  case $CODE in
  [123]??) CODE="$CODE, but not completely within 2 s" ;;
  esac
  return 1
}

# curl connects, sends nothing, and ends at the end of its input. A service that waits for its client ends by -m.
tcp_passes() {
  took=$(curl -s -m 2 -o /dev/null -w '%{time_connect}' "telnet://$(bracketed):$PORT" </dev/null)
  case $took in
  *[1-9]*) ;;
  *) return 1 ;;
  esac
}

# bracketed: ADDRESS as a part of a URL.
bracketed() {
  case $ADDRESS in
  *:*) say "[$ADDRESS]" ;;
  *) say "$ADDRESS" ;;
  esac
}
