# Registrations in etcd. Each is also kept in a file with the same path as its key: what the unit has registered is
# renewed and removed only while etcd has this value, so that a machine never changes a registration of another one.

# An app's own registration (see by_app) replaces its unit's, and is removed with it.

# value: writes the registration of the described unit; fails while a port of it is not published.
value() {
  content=$(sha1sum <"$UNITS/$UNIT")
  ports='' first=null address=$HOST
  for entry in $PORTS; do
    locate "${entry%%=*}" || return
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

# register: registers the described unit, in ten attempts. A registration by the app in this run of the unit stays.
register() {
  file=$FOLDER/services/$SERVICE/$UNIT
  key=$KEYS/services/$SERVICE/$UNIT
  mkdir -p "$FOLDER/services/$SERVICE"
  value >"$FOLDER/services/.$UNIT" && mv "$FOLDER/services/.$UNIT" "$file" || return
  attempt=0
  while [ "$attempt" -lt 10 ]; do
    ask 5 -X PUT -d prevExist=false -d "ttl=$REGISTRATION_SEC" --data-urlencode "value@$file" "$key"
    if [ "$STATUS" = 412 ]; then
      ask 5 "$key"
      by_app && case $ANSWER in
      *',\"run\":\"'"$INVOCATION_ID"'\"'*) return 0 ;;
      esac
      ask 5 -X PUT -d "ttl=$REGISTRATION_SEC" --data-urlencode "value@$file" "$key"
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

# unregister PATH: removes the registration services/<service>/<unit> that the unit wrote, or its app, in at most 9 s.
# First its file goes to another folder, so that the loop does not write the key again. It stays there while etcd does not
# answer: the loop tries again.
unregister() {
  key=$KEYS/$1
  leaving=$FOLDER/leaving/$1
  mkdir -p "${leaving%/*}"
  [ ! -f "$FOLDER/$1" ] || mv "$FOLDER/$1" "$leaving"
  if [ -f "$leaving" ]; then
    ask 2 --retry 1 -G -X DELETE --data-urlencode "prevValue@$leaving" "$key"
    [ "$STATUS" != 000 ] || return
  fi
  ask 2 "$key"
  [ "$STATUS" != 000 ] || return
  if by_app; then
    field modifiedIndex
    ask 2 -G -X DELETE -d "prevIndex=$FIELD" "$key"
  fi
  rm -f "$leaving"
}

# renew: renews the registrations of this machine that have little time left, and creates those that are missing. One
# request asks for all of them, since most of them need nothing.
renew() {
  set -- "$FOLDER"/services/*/*
  [ -f "$1" ] || return 0
  for file; do
    shift
    set -- "$@" "$KEYS/${file#"$FOLDER/"}"
  done
  answers=$(curl -sSg -m 10 "$@" 2>&1)
  for key; do
    ANSWER=${answers%%"$NEWLINE"*}
    answers=${answers#*"$NEWLINE"}
    renew_one "$FOLDER/${key#"$KEYS/"}"
  done
}

# renew_one FILE: renews the registration that FILE holds, as ANSWER needs it. A key with another value stays, unless
# the unit's app registered it and left its renewal to the agent.
renew_one() {
  case $ANSWER in
  '{"errorCode":100,'*)
    ask 5 -X PUT -d prevExist=false -d "ttl=$REGISTRATION_SEC" --data-urlencode "value@$1" "$key"
    [ "$STATUS" != 201 ] || say "registered ${1##*/} again: its key was missing"
    ;;
  '{"action":"get",'*)
    field ttl
    [ "${FIELD:-0}" -lt "$RENEWED_BELOW_SEC" ] || return 0
    if by_app beacon; then
      field modifiedIndex
      set -- "prevIndex=$FIELD"
    else
      set -- "prevValue@$1"
    fi
    ask 5 -X PUT -d refresh=true -d "ttl=$REGISTRATION_SEC" --data-urlencode "$1" "$key"
    ;;
  esac
}

# reap: unregisters units that do not run any more and could not do so themselves.
reap() {
  for file in "$FOLDER"/leaving/services/*/*; do
    [ ! -f "$file" ] || unregister "${file#"$FOLDER/leaving/"}"
  done
  set -- "$FOLDER"/services/*/*
  [ -f "$1" ] || return 0
  for file; do
    shift
    set -- "$@" "${file##*/}"
  done
  states=$(systemctl is-active "$@")
  for unit; do
    state=${states%%"$NEWLINE"*}
    states=${states#*"$NEWLINE"}
    case $state in
    active | reloading | activating | refreshing | maintenance) continue ;;
    esac
    for file in "$FOLDER"/services/*/"$unit"; do
      say "unregistering $unit: systemd says $state"
      unregister "${file#"$FOLDER/"}"
    done
    rm -f "$FOLDER/alive/$unit" "$FOLDER/checked/$unit" "$FOLDER/env/$unit"
  done
}
