# Heartbeats: one key for each machine. The registrations of a machine whose heartbeat stands still are removed by the
# other agents, but only while their own heartbeats are steady: after an outage of etcd all of them stand still at first.
# When the key ends says nothing: etcd's member on the writing machine computes that, and its leader removes the key,
# each by its own clock.

# How often a heartbeat says what time it is on its machine, and how many seconds two clocks may differ.
CLOCK_EVERY_SEC=60
CLOCK_OFF_SEC=30

BEATS=0
BEAT_AT=0
CLOCK_AT=0
VERIFY_AT=0
OUTAGE=no

# beat: renews this machine's heartbeat; once a minute it says which program runs, and the machine's clock. Sets BEATS, the
# number of beats in a row without a gap, and VERIFY_AT, when the registrations are due.
beat() {
  clock
  key=$KEYS/machines/$MACHINE
  STATUS=404
  if [ "$BEAT_AT" != 0 ]; then
    if [ $((NOW - CLOCK_AT)) -lt "$CLOCK_EVERY_SEC" ]; then
      ask 3 -X PUT -d refresh=true -d prevExist=true -d "ttl=$KEY_SEC" "$key"
    else
      write_beat -d prevExist=true
    fi
  fi
  if [ "$STATUS" = 404 ]; then
    write_beat
    BEATS=0
  fi
  case $STATUS in
  200 | 201) ;;
  *)
    [ "$OUTAGE" = yes ] || say "no heartbeat: etcd answered $STATUS: $ANSWER"
    OUTAGE=yes
    BEATS=0
    return 1
    ;;
  esac
  OUTAGE=no
  [ $((NOW - BEAT_AT)) -le $((2 * PERIOD_SEC)) ] || BEATS=0
  BEATS=$((BEATS + 1))
  BEAT_AT=$NOW
  # Others may have removed what this machine had registered, or be about to.
  [ "$STATUS" = 200 ] || {
    watch_maintenance
    renew_all
    VERIFY_AT=$((NOW + PERIOD_SEC))
  }
}

# write_beat CURL-ARGUMENT...: writes the value of the heartbeat at key.
write_beat() {
  beat="{\"agent\":\"$PROGRAM\",\"machine\":\"$MACHINE\",\"clock\":$(date +%s)}"
  ask 3 -X PUT "$@" -d "ttl=$KEY_SEC" --data-urlencode "value=$beat" "$key"
  case $STATUS in
  200 | 201) CLOCK_AT=$NOW ;;
  esac
}

# beat_if_due: between the steps of a long job. Else the machine would be silent while it asks etcd for many units.
beat_if_due() {
  clock
  [ $((NOW - BEAT_AT)) -lt "$PERIOD_SEC" ] || beat
}

# watch_machines: notes which heartbeats changed, and removes the registrations of machines that are silent. The file of a
# machine has the index of its heartbeat, when that was seen to change, its clock, and what its clock is ahead of the
# seconds since this machine started, or "-". That is known when a new clock is seen at once.
watch_machines() {
  ask 3 "$KEYS/machines"
  [ "$STATUS" = 200 ] || return
  listed | while read -r index _ mark key; do
    file=$FOLDER/machines/${key##*/}
    last='' seen='' clock='' ahead=''
    [ ! -f "$file" ] || read -r last seen clock ahead <"$file"
    [ "$index" != "$last" ] || continue
    if [ "$mark" != "$clock" ] && [ "$clock" ] && is_number "$mark" && [ $((NOW - seen)) -lt "$SILENT_SEC" ]; then
      ahead=$((mark - NOW))
    fi
    say "$index $NOW $mark ${ahead:--}" >"$file"
  done
  found=''
  for file in "$FOLDER"/machines/*; do
    [ -f "$file" ] || continue
    id=${file##*/}
    [ "$id" != "$MACHINE" ] || continue
    # It has no line if the agent was killed while it wrote it.
    read -r index seen _ <"$file" || continue
    [ $((NOW - seen)) -ge "$SILENT_SEC" ] && [ "$BEATS" -ge "$STEADY_BEATS" ] || continue
    # First its heartbeat: a machine that misses it registers all of its units again.
    delete_read "$index" "/fleetcaptain/$APP/machines/$id"
    case $STATUS in
    200 | 404) found="$found $id:$((NOW - seen))" ;;
    esac
  done
  if [ "$found" ] && sweep "$found"; then
    for id in $found; do
      rm -f "$FOLDER/machines/${id%:*}"
    done
  fi
}

# is_clock_right: whether this machine's clock is near those of the others; says once when not, and when it is again. It
# is wrong if it is not near those of most of them, and of two at least: else the wrong one may be another's.
is_clock_right() {
  clock
  own=$(($(date +%s) - NOW)) known=0 far=0
  for file in "$FOLDER"/machines/*; do
    [ -f "$file" ] && [ "${file##*/}" != "$MACHINE" ] || continue
    read -r _ _ _ ahead <"$file" || continue
    case $ahead in
    '' | -) continue ;;
    esac
    known=$((known + 1)) ahead=$((own - ahead))
    [ "${ahead#-}" -le "$CLOCK_OFF_SEC" ] || far=$((far + 1))
  done
  if [ "$far" -ge 2 ] && [ $((2 * far)) -gt "$known" ]; then
    say_once clock "this machine opens and closes no windows: its clock differs from those of $far of $known others by" \
      "more than $CLOCK_OFF_SEC s"
    return 1
  fi
  case "$SAID " in
  *' clock '*) say 'the clock of this machine is right again' ;;
  esac
  forget clock
}

# sweep " MACHINE:SECONDS ...": removes the registrations of these machines, which are silent for so long. Fails while
# one of them could not be removed.
sweep() {
  ask 5 "$KEYS/services?recursive=true"
  case $STATUS in
  200) ;;
  404) return 0 ;;
  *) return 1 ;;
  esac
  listed | while read -r index machine _ key; do
    silent=${1#*" $machine:"}
    [ "$silent" != "$1" ] || continue
    delete_read "$index" "$key"
    case $STATUS in
    200) say "unregistered ${key##*/}: no heartbeat of its machine $machine for ${silent%% *} s" ;;
    404) ;;
    *) exit 1 ;;
    esac
    # It goes on only while this machine's own heartbeat is steady.
    beat_if_due && [ "$BEATS" -ge "$STEADY_BEATS" ] || exit 1
  done
}

# survey: removes registrations of this machine that no unit stands for: those from before a reboot. Removes the files of
# variables of units that ended and that fleet has removed.
survey() {
  for file in "$FOLDER"/env/*; do
    set -- "$FOLDER"/services/*/"${file##*/}"
    # While fleet has the unit, it may start at any time.
    [ ! -f "$1" ] && [ ! -f "$UNITS/${file##*/}" ] || continue
    if [ -f "$file" ] && is_dead "${file##*/}" && [ "$state" != deactivating ]; then
      rm -f "$file" "$FOLDER/restarts/${file##*/}"
    fi
    beat_if_due
  done
  ask 5 "$KEYS/services?recursive=true"
  [ "$STATUS" = 200 ] || return 0
  listed | while read -r index machine _ key; do
    [ "$machine" = "$MACHINE" ] || continue
    unit=${key##*/}
    [ ! -f "$FOLDER/${key#"/fleetcaptain/$APP/"}" ] || continue
    is_dead "$unit" || continue
    delete_read "$index" "$key"
    [ "$STATUS" != 200 ] || say "unregistered $unit: it does not run on this machine"
    beat_if_due
  done
}
