# Registrations in etcd. Each is also kept in a file with the same path as its key: what the unit has registered is
# renewed and removed only while etcd has this value, so that a machine never changes a registration of another one.

# An app's own registration (see by_app) replaces its unit's, and is removed with it.

# registration: writes the registration of the described unit; fails while a port of it is not published.
registration() {
  content=$(sha1sum <"$UNITS/$UNIT")
  ports='' first=null address=$HOST
  for entry in $PORTS; do
    locate "${entry%%=*}" || {
      say "Could not register $UNIT: docker does not publish port $entry of $CONTAINER: look at \`docker ps -a\`" >&2
      return 1
    }
    [ "$ports" ] || {
      first=$PORT address=$ADDRESS
    }
    ports="$ports${ports:+,}\"${entry%%=*}\":$PORT"
  done
  printf '{"service":"%s","unit":"%s","content":"%s","machine":"%s","host":"%s","ports":{%s},' \
    "$SERVICE" "$UNIT" "${content%% *}" "$MACHINE" "$HOST" "$ports"
  versions=$(setting Versions)
  printf '"connection":{"host":"%s","port":%s},"versions":%s,"since":"%s"}' \
    "$address" "$first" "${versions:-[]}" "$(date -u +%FT%TZ)"
}

# register: registers the described unit, in ten attempts. A registration by the app in this run of the unit stays. If its
# service is under maintenance, lookups leave it out from the beginning.
register() {
  file=$FOLDER/services/$SERVICE/$UNIT
  key=$KEYS/services/$SERVICE/$UNIT
  mkdir -p "$FOLDER/services/$SERVICE"
  value=$(registration) || return
  watch_maintenance
  remarked "$value" '' | tr -d '\n' >"$FOLDER/services/.$UNIT" && mv "$FOLDER/services/.$UNIT" "$file" || return
  attempt=0
  while [ "$attempt" -lt 10 ]; do
    ask 5 -X PUT -d prevExist=false -d "ttl=$KEY_SEC" --data-urlencode "value@$file" "$key"
    if [ "$STATUS" = 412 ]; then
      ask 5 "$key"
      ! by_app '' "${INVOCATION_ID-}" || return 0
      unanswered || ask 5 -X PUT -d "ttl=$KEY_SEC" --data-urlencode "value@$file" "$key"
    fi
    case $STATUS in
    200 | 201) return 0 ;;
    esac
    attempt=$((attempt + 1))
    sleep 1
  done
  say "Could not register $UNIT: etcd answered $STATUS: $ANSWER"
  return 1
}

# unregister KEY FILE: removes the registration at KEY that FILE holds, or the one of its app, in at most 9 s. Fails, and
# keeps the file, while etcd does not answer: the loop tries again.
unregister() {
  if [ -f "$2" ]; then
    ask 2 --retry 1 -G -X DELETE --data-urlencode "prevValue@$2" "$1"
    ! unanswered || return
  fi
  ask 2 "$1"
  ! unanswered || return
  if by_app; then
    field modifiedIndex
    ask 2 -G -X DELETE -d "prevIndex=$FIELD" "$1"
    ! unanswered || return
  fi
  rm -f "$2"
}

# renew_all: renews the registrations of this machine that have little time left, and creates those that are missing. One
# request asks for all of them, since most of them need nothing.
renew_all() {
  set -- "$FOLDER"/services/*/*
  [ -f "$1" ] || return 0
  for file; do
    shift
    set -- "$@" "$KEYS/${file#"$FOLDER/"}"
  done
  # -m limits each answer, not all of them.
  answers=$(timeout 10 curl -sSg -m 5 "$@" 2>&1)
  set -f
  IFS=$NEWLINE
  for ANSWER in $answers; do
    set +f
    unset IFS
    [ $# -gt 0 ] || break
    key=$1
    shift
    # One of the keys may not have been answered.
    case $ANSWER in
    *'"'"${key#"$ETCD"}"'"'*) renew "$FOLDER/${key#"$KEYS/"}" ;;
    esac
    beat_if_due
  done
  set +f
  unset IFS
}

# renew FILE: renews the registration that FILE holds as ANSWER, of its key, needs it. A key with another value stays,
# unless the unit's app registered it and left its renewal to the agent.
renew() {
  unit=${1##*/}
  apply_maintenance "$1"
  case $ANSWER in
  '{"errorCode":100,'*)
    held=$(cat "$1" 2>/dev/null) || return 0
    is_active "$unit" || return 0
    ask 5 -X PUT -d prevExist=false -d "ttl=$KEY_SEC" --data-urlencode "value=$held" "$key"
    [ "$STATUS" = 201 ] || return 0
    # The unit may have unregistered meanwhile: before this request, which undid it.
    if is_active "$unit"; then
      say "registered $unit again: its key was missing"
    else
      ask 5 -G -X DELETE --data-urlencode "prevValue=$held" "$key"
    fi
    ;;
  '{"action":"get",'*)
    field ttl
    [ "${FIELD:-0}" -lt "$RENEWED_BELOW_SEC" ] || return 0
    ! by_app app || return 0
    if by_app beacon; then
      field modifiedIndex
      set -- "prevIndex=$FIELD"
    else
      set -- "prevValue@$1"
    fi
    ask 5 -X PUT -d refresh=true -d "ttl=$KEY_SEC" --data-urlencode "$1" "$key"
    ;;
  esac
}

# reap: unregisters units that do not run any more and could not do so themselves.
reap() {
  set -- "$FOLDER"/services/*/*
  [ -f "$1" ] || return 0
  for file; do
    shift
    set -- "$@" "${file##*/}"
  done
  states=$(timeout 5 systemctl is-active -- "$@")
  for unit; do
    state=${states%%"$NEWLINE"*}
    states=${states#*"$NEWLINE"}
    if is_dead_state "$state" && is_dead "$unit"; then
      retire "$unit"
      beat_if_due
    fi
  done
}

# retire UNIT: unregisters a unit that ended. Its file goes first: the unit may start at the same time and write another,
# which must stay.
retire() {
  rm -f "$FOLDER/alive/$1" "$FOLDER/checked/$1"
  for file in "$FOLDER"/services/*/"$1"; do
    mv "$file" "$FOLDER/retired" 2>/dev/null || continue
    say "unregistering $1: systemd says $state"
    unregister "$KEYS/${file#"$FOLDER/"}" "$FOLDER/retired" || ln "$FOLDER/retired" "$file" 2>/dev/null
    rm -f "$FOLDER/retired"
  done
}
