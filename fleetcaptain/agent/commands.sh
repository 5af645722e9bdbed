# The commands of the units, and the loop of the agent's own unit.

# starting UNIT: the unit's image and variables are those of its text, whatever files of variables say.
starting() {
  describe "$1" || exit
  if [ "$IMAGE_LINE" ] && [ "$IMAGE_LINE" != "${IMAGE-}" ]; then
    say "IMAGE is not the unit's own: remove it from /etc/environment and from the files of EnvironmentFile="
    exit 1
  fi
  host
  content=$(sha1sum <"$UNITS/$UNIT")
  mkdir -p "$FOLDER/env"
  {
    say "FLEETCAPTAIN_APP=$APP"
    say "FLEETCAPTAIN_SERVICE=$SERVICE"
    say "FLEETCAPTAIN_UNIT=$UNIT"
    say "FLEETCAPTAIN_MACHINE=$MACHINE"
    say "FLEETCAPTAIN_KEY=/fleetcaptain/$APP/services/$SERVICE/$UNIT"
    say "FLEETCAPTAIN_CONTENT=${content%% *}"
    say "FLEETCAPTAIN_RUN=${INVOCATION_ID-}"
    say "FLEETCAPTAIN_HOST=$HOST"
    say "FLEETCAPTAIN_ETCD=http://$HOST:2379"
    versions=$(setting Versions)
    [ ! "$versions" ] || say "FLEETCAPTAIN_VERSIONS=$versions"
  } >"$FOLDER/env/.$UNIT" && mv "$FOLDER/env/.$UNIT" "$FOLDER/env/$UNIT" || exit
  keep_slot
  [ "$(setting Container)" = no ] || docker rm -fv "$CONTAINER" >/dev/null 2>&1
  pull_if_missing || exit
  open_secrets "$FOLDER/secrets/$UNIT" || exit
}

# host: sets HOST, the machine's address.
host() {
  HOST=${COREOS_PRIVATE_IPV4:?is not set in /etc/environment}
}

# started UNIT: polls twice a second; systemd's TimeoutStartSec limits it. Ends with 1 when the main process has ended,
# since systemd would go on waiting.
started() {
  describe "$1" || exit
  host
  prepare Ready
  if [ "$KIND" ]; then
    say "waiting for $(described)"
    CODE=''
    until holds; do
      case $CODE in
      '' | 000) ;;
      *) say_new "not ready: $(described) was answered with $CODE" ;;
      esac
      # systemd sets no MAINPID once the process has ended.
      kill -0 "${MAINPID:-none}" 2>/dev/null || {
        say 'the service ended before it was ready'
        exit 1
      }
      sleep 0.5
    done
  fi
  note_leave || exit
  register || exit
  give_slot_back
  note_alive || exit
}

# stopping UNIT [COMMAND...]
stopping() {
  unit=$1
  shift
  # fleet removes the file of a unit while it stops, so this does not read it.
  key=$(setting FLEETCAPTAIN_KEY "$(cat "$FOLDER/env/$unit" 2>/dev/null)")
  key=${key#"/fleetcaptain/$APP/"}
  [ ! "$key" ] || unregister "$KEYS/$key" "$FOLDER/$key" || say "etcd did not answer: the loop unregisters $unit later"
  rm -f "$FOLDER/alive/$unit" "$FOLDER/checked/$unit"
  leave "$unit"
  # systemd sets no MAINPID after the end.
  [ "${MAINPID-}" ] || {
    close_secrets "$unit"
    case $unit in
    "$APP-proxy@"*) end_later "$unit" ;;
    esac
  }
  case ${1-} in
  '') ;;
  */docker) quietly "$@" ;;
  *) exec "$@" ;;
  esac
}

# quietly DOCKER...: without the name that docker prints, and without its error about a container that is not there: most
# are removed with their command.
quietly() {
  errors=$("$@" 2>&1 >/dev/null) && return
  status=$?
  case $errors in
  *'No such container'*) ;;
  *)
    say "$errors" >&2
    return "$status"
    ;;
  esac
}

run() {
  PROGRAM=$(sha256sum <"$0")
  PROGRAM=${PROGRAM%% *}
  trap 'rm -rf "$FOLDER/docker"; exit 0' TERM INT
  mkdir -p "$FOLDER/machines" "$FOLDER/services"
  survey_at=0
  clock
  begun=$NOW
  WINDOWS_AT=$((NOW + FIRST_WINDOWS_SEC))
  say "agent $PROGRAM"
  while :; do
    check_alive
    # Without the right to a heartbeat, registrations are kept true all the same.
    if beat || ! unanswered; then
      watch_machines
      watch_maintenance
      reap
      # During maintenance each time: an app may register itself at any time.
      if [ "$NOW" -ge "$VERIFY_AT" ] || [ "$MAINTAINED" ]; then
        renew_all
        VERIFY_AT=$((NOW + VERIFY_EVERY_SEC))
      fi
      if [ "$NOW" -ge "$survey_at" ]; then
        survey
        close_unused_secrets
        forget_secrets
        refresh_logins
        watch_health
        [ $((NOW - begun)) -lt "$FIRST_CLEAN_SEC" ] || clean_when_due
        # systemd starts the unit again, which installs the program that it names.
        [ $((NOW - begun)) -lt "$SURVEY_EVERY_SEC" ] || is_current || exit 0
        survey_at=$((NOW + SURVEY_EVERY_SEC))
      fi
      watch_windows
    fi
    sleep "$PERIOD_SEC" &
    wait $!
  done
}

# is_current: whether the agent's unit names this program. Another one was not in etcd when the unit started; or fleet
# changed the unit, and systemd dropped the stop because the start followed while it was queued.
is_current() {
  named=$(setting Program "$(section "$UNITS/$APP-agent.service" 2>/dev/null)")
  [ "${named:-$PROGRAM}" = "$PROGRAM" ]
}

COMMAND=${1-}
[ $# = 0 ] || shift
case $COMMAND in
starting | started | stopping | task | proxy | proxyless | open | pull | run | clean | health) "$COMMAND" "$@" ;;
*)
  say "Usage: $0 run|starting|started|stopping|task|proxy|proxyless|open|pull|clean|health" >&2
  exit 2
  ;;
esac
