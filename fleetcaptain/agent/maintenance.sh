# Services under maintenance: their registrations are marked, so that lookups leave them out. Their instances go on.

# The end of the registration of an instance whose service is under maintenance.
MAINTENANCE_MARK=',"draining":true,"maintenance":true}'
MAINTAINED=unread

# watch_maintenance: notes in the file `maintained` which services are under maintenance, one a line. When they changed,
# the registrations are due: sets VERIFY_AT. While etcd does not answer, nothing changes. Units that start write the file
# too, perhaps with what etcd answered before: so it is compared as well as MAINTAINED.
watch_maintenance() {
  ask 3 "$KEYS/maintenance"
  case $STATUS in
  200) found=$(listed | while read -r _ _ _ key; do say "${key##*/}"; done) ;;
  404) found='' ;;
  *) return ;;
  esac
  noted=$(cat "$FOLDER/maintained" 2>/dev/null)
  [ "$MAINTAINED" != unread ] || MAINTAINED=$noted
  [ "$noted|$MAINTAINED" != "$found|$found" ] || return 0
  say "$found" >"$FOLDER/.maintained.$$" && mv "$FOLDER/.maintained.$$" "$FOLDER/maintained" || return
  MAINTAINED=$found
  VERIFY_AT=0
}

# is_maintained SERVICE: by the file, without a process.
is_maintained() {
  [ -f "$FOLDER/maintained" ] || return
  while IFS= read -r maintained; do
    [ "$maintained" != "$1" ] || return 0
  done <"$FOLDER/maintained"
  return 1
}

# apply_maintenance FILE: has the registration that FILE holds, and ANSWER, of its key, say whether its service is under
# maintenance. One that is draining for another reason stays.
apply_maintenance() {
  UNIT=${1##*/}
  SERVICE=${1%/*}
  SERVICE=${SERVICE##*/}
  held='' wanted=no reason='' now='in discovery again: the maintenance of its service ended'
  IFS= read -r held 2>/dev/null <"$1"
  if is_maintained "$SERVICE"; then
    wanted=yes now='out of discovery: its service is under maintenance'
  fi
  case $held in
  *"$MAINTENANCE_MARK") in_file=yes ;;
  *) in_file=no ;;
  esac
  case $ANSWER in
  '{"errorCode":'*) in_etcd=$wanted ;;
  *'\"draining\":true,\"maintenance\":true}","'*) in_etcd=yes ;;
  *'\"draining\":true,\"failing\":\"'*) in_etcd=no ;;
  *'\"draining\":true'*) in_etcd=$wanted ;;
  *) in_etcd=no ;;
  esac
  [ "$in_file$in_etcd" != "$wanted$wanted" ] || return 0
  if [ "$wanted" = no ] && failed_often; then
    reason='it failed during the maintenance of its service'
    now='still out of discovery: its alive check failed during the maintenance of its service'
  fi
  # The loop restarts nothing, so there is nothing to say about that.
  DECISION=changed
  if restate "$reason"; then
    say "$UNIT is $now"
  fi
}

# failed_often: whether the alive check of UNIT failed as often as counts, so that it stays out of discovery until the
# next one.
failed_often() {
  read -r _ _ failures _ 2>/dev/null <"$FOLDER/alive/$UNIT" &&
    read -r _ failed _ 2>/dev/null <"$FOLDER/checked/$UNIT" &&
    [ "${failed:-0}" -ge "${failures:-1}" ]
}
