# Alive checks: an instance whose check fails again and again is out of discovery, and is then restarted.

# The end of a registration while the check of its instance fails; the reason and "} follow. Lookups leave out what is
# draining.
FAILING_MARK=',"draining":true,"failing":"'
# The instances of a service fail together when something that they need is down. Each has so long, after the time
# between two checks, to find out, before one is restarted.
OTHERS_SEC=10

# note_alive: notes the alive check of the described unit for the loop, with its address and with all parts replaced,
# since the loop has other variables than the unit.
note_alive() {
  rm -f "$FOLDER/checked/$UNIT"
  prepare Alive
  [ "$KIND" ] || return 0
  ADDRESS='' PORT=''
  case $KIND in
  http | https | tcp)
    locate "$NUMBER" || {
      say "container port $NUMBER of the alive check is not published"
      return 1
    }
    ;;
  esac
  every=$(setting AliveEvery) failures=$(setting AliveFailures) grace=$(setting AliveGrace)
  parallel=$(setting AliveParallel)
  limit=$(restart_limit)
  clock
  mkdir -p "$FOLDER/alive" "$FOLDER/checked" "$FOLDER/restarts"
  {
    say "$NOW ${every:-10} ${failures:-3} ${grace:-30} ${parallel:-1} $limit $SERVICE $CONTAINER"
    say "Kind=$KIND"
    say "Number=$NUMBER"
    say "Address=$ADDRESS"
    say "Port=$PORT"
    say "Target=$TARGET"
    say "Host=$NAME_HEADER"
    printf '%s\n' "$HEADERS" | while IFS= read -r line; do say "Header=$line"; done
    say "Inside=$INSIDE"
  } >"$FOLDER/alive/.$UNIT" && mv "$FOLDER/alive/.$UNIT" "$FOLDER/alive/$UNIT"
}

# restart_limit: the seconds that a restart of the described unit may take, and some more.
restart_limit() {
  say $(($(seconds TimeoutStartSec) + $(seconds TimeoutStopSec) + 60))
}

# seconds KEY: the last value of KEY in the unit, 300 for one that is no number of seconds.
seconds() {
  value=$(setting "$1" "$(logical_lines "$UNITS/$UNIT")")
  value=${value##*"$NEWLINE"}
  case $value in
  '' | *[!0-9]*) say 300 ;;
  *)
    # "08" would be a wrong octal number.
    value=${value#"${value%%[!0]*}"}
    say "${value:-0}"
    ;;
  esac
}

# check_alive: starts the checks that are due, in the background: a heartbeat never waits for them. A unit has one check
# at a time; one that was killed is forgotten after a minute.
check_alive() {
  clock
  for file in "$FOLDER"/alive/*; do
    [ -f "$file" ] || continue
    unit=${file##*/}
    read -r since _ _ grace _ <"$file" || continue
    due=$((since + grace))
    # Without a size: the agent was killed while it wrote it.
    [ ! -s "$FOLDER/checked/$unit" ] || read -r due _ <"$FOLDER/checked/$unit" || continue
    [ "$NOW" -ge "$due" ] || continue
    running=$FOLDER/checked/.$unit
    if [ -s "$running" ]; then
      read -r since <"$running" || continue
      [ $((NOW - since)) -ge 60 ] || continue
    fi
    say "$NOW" >"$running"
    # In a subshell that ends: some shells keep every child of their own until they wait for it.
    (check "$unit" "$due" &)
  done
}

# check UNIT DUE: runs the check of UNIT once, and does what follows.
check() {
  UNIT=$1
  DUE=$2
  judge
  rm -f "$FOLDER/checked/.$UNIT"
}

# judge: the check of UNIT. NOTED is its file, SINCE when it was written; FAILED how often it failed in a row, MARKED
# since when the registration says so, DECISION the one that was logged last; REASON why it fails now.
judge() {
  NOTED=$FOLDER/alive/$UNIT
  read -r SINCE EVERY FAILURES _ PARALLEL RESTART_SEC SERVICE CONTAINER <"$NOTED" || return
  lines=$(cat "$NOTED") || return
  KIND=$(setting Kind "$lines") NUMBER=$(setting Number "$lines") TARGET=$(setting Target "$lines")
  ADDRESS=$(setting Address "$lines") PORT=$(setting Port "$lines") INSIDE=$(setting Inside "$lines")
  NAME_HEADER=$(setting Host "$lines") HEADERS=$(setting Header "$lines")
  FAILED=0 MARKED=- DECISION=-
  [ ! -s "$FOLDER/checked/$UNIT" ] || read -r _ FAILED MARKED DECISION <"$FOLDER/checked/$UNIT" || return
  REASON=''
  passes || REASON=$(failure)
  still_noted || return
  if [ "$REASON" ]; then
    after_failure
  else
    after_success
  fi
  still_noted || return
  clock
  DUE=$((DUE + EVERY))
  [ "$DUE" -ge "$NOW" ] || DUE=$((NOW + EVERY))
  say "$DUE $FAILED $MARKED $DECISION" >"$FOLDER/checked/$UNIT"
}

# still_noted: whether the check is that of the present run. A unit that was stopped or started meanwhile has another one.
still_noted() {
  [ -f "$NOTED" ] && read -r now _ <"$NOTED" && [ "$now" = "$SINCE" ]
}

after_failure() {
  FAILED=$((FAILED + 1))
  if is_maintained "$SERVICE"; then
    MARKED=-
    [ "$FAILED" -lt "$FAILURES" ] || decide maintenance 'its service is under maintenance'
    return
  fi
  [ "$FAILED" -ge "$FAILURES" ] && restate "$REASON" || return
  clock
  if [ "$MARKED" = - ]; then
    MARKED=$NOW
    say "$UNIT is out of discovery: its alive check failed $FAILED times in a row: $REASON"
  fi
  restart
}

after_success() {
  MARKED=- DECISION=-
  # etcd alone may have the mark: its answer was lost, or the agent ended before it wrote the file.
  case $FAILED:$(cat "$FOLDER/services/$SERVICE/$UNIT" 2>/dev/null) in
  0:*"$FAILING_MARK"* | [1-9]*) ;;
  *) return ;;
  esac
  FAILED=1
  restate '' || return
  FAILED=0
  case $OWN$THERE in
  *"$FAILING_MARK"*) say "$UNIT is in discovery again: its alive check holds" ;;
  esac
}

# failure: why the check failed, without characters that JSON or `listed` would read.
failure() {
  case $KIND in
  http | https)
    case $CODE in
    000) say "no answer to $(described)" ;;
    *) say "$(described) answered $CODE" ;;
    esac
    ;;
  *) say "$(described) failed" ;;
  esac | tr -d '"\\{}'
}

# restate REASON: has the registration of UNIT say that its service is under maintenance, else that its check fails,
# because of REASON, or without REASON not any more; in etcd, by compare-and-swap, and in its file. OWN is the value in
# its file, THERE the one in etcd, "" for none. Fails if etcd does not answer, and if others changed the registration on
# purpose, as a rollout that drains it.
restate() {
  file=$FOLDER/services/$SERVICE/$UNIT
  key=$KEYS/services/$SERVICE/$UNIT
  THERE=''
  OWN=$(cat "$file" 2>/dev/null)
  [ "$OWN" ] || return
  STATED=$(remarked "$OWN" "$1")
  ask 5 "$key"
  case $STATUS in
  404) ;;
  200) restate_key "$1" || return ;;
  *) return 1 ;;
  esac
  if [ ! -f "$file" ]; then
    # The unit was stopped meanwhile, and could not remove a value that it did not know.
    [ "$STATUS" = 404 ] || ask 5 -G -X DELETE --data-urlencode "prevValue=$WANTED" "$key"
    return 1
  fi
  # Or it was started again.
  [ "$(cat "$file")" = "$OWN" ] || return
  printf '%s' "$STATED" >"$FOLDER/services/..$UNIT" && mv "$FOLDER/services/..$UNIT" "$file"
}

# restate_key REASON: the part of restate in etcd, with the key as ANSWER: THERE becomes WANTED. An app's own registration
# on the key is marked in the same way.
restate_key() {
  if THERE=$(node_value) && WANTED=$(remarked "$THERE" "$1") && is_ours; then
    [ "$WANTED" != "$THERE" ] || return 0
    field ttl
    ttl=${FIELD:-$KEY_SEC}
    field modifiedIndex
    ask 5 -X PUT -d "prevIndex=$FIELD" -d "ttl=$ttl" --data-urlencode "value=$WANTED" "$key"
    [ "$STATUS" = 200 ]
    return
  fi
  [ -z "$1" ] || decide changed 'others changed its registration, or it is about to stop'
  return 1
}

# is_ours: whether THERE is the unit's own registration, apart from the mark, or one by its app. The file then gets what
# etcd gets.
is_ours() {
  if [ "$(unmarked "$THERE")" = "$(unmarked "$OWN")" ]; then
    STATED=$WANTED
  else
    by_app
  fi
}

# unmarked VALUE: VALUE without a mark of ours.
unmarked() {
  case $1 in
  *"$FAILING_MARK"*) say "${1%"$FAILING_MARK"*}}" ;;
  *"$MAINTENANCE_MARK") say "${1%"$MAINTENANCE_MARK"}}" ;;
  *) say "$1" ;;
  esac
}

# remarked VALUE REASON: VALUE with the mark that fits: that of a service under maintenance, else that of REASON, or the
# one that it has, else none. Fails for a value that is draining for another reason.
remarked() {
  plain=$(unmarked "$1")
  case $plain in
  *'"draining":true'* | *[!\}])
    [ -z "$2" ] || return
    say "$1"
    return
    ;;
  esac
  plain=${plain%\}}
  if is_maintained "$SERVICE"; then
    say "$plain$MAINTENANCE_MARK"
  elif [ -z "$2" ]; then
    say "$plain}"
  else
    case $1 in
    *"$FAILING_MARK"*) say "$1" ;;
    *) say "$plain$FAILING_MARK$2\"}" ;;
    esac
  fi
}

# restart: restarts UNIT once the others have had time to fail too, unless most instances of its service fail, a rollout
# replaces them, or too many restart.
restart() {
  count_instances || return
  # fleetcaptain/discovery/failing_instances.py says by the same rule why none is restarted.
  if [ "$FAILING" -ge 2 ] && [ $((2 * FAILING)) -gt "$ALL" ]; then
    # They do not come back at one moment either: the last one has its time as well.
    MARKED=$NOW
    decide most "$FAILING of $ALL instances of $SERVICE fail, so something that they need may be down"
    return
  fi
  [ $((NOW - MARKED)) -ge $((EVERY + OTHERS_SEC)) ] || return
  ask 5 "$KEYS/locks/$SERVICE"
  case $STATUS in
  404) ;;
  200)
    decide rollout "a rollout of $SERVICE is in progress"
    return
    ;;
  *) return ;;
  esac
  take_any_slot || return
  say "restarting $UNIT: its alive check fails: $REASON"
  # Not one that was stopped meanwhile.
  if systemctl try-restart --no-block "$UNIT"; then
    rm -f "$NOTED"
  else
    give_slot_back
  fi
}

# count_instances: sets ALL and FAILING, how many instances SERVICE has, and how many of them fail. Those that restart
# fail too, and are not registered.
count_instances() {
  ask 5 "$KEYS/services/$SERVICE?recursive=true"
  [ "$STATUS" = 200 ] || return
  counts=$(listed | {
    all='' failing=''
    while read -r _ _ mark _; do
      all="$all."
      [ "$mark" != failing ] || failing="$failing."
    done
    say "${#all} ${#failing}"
  })
  ALL=${counts% *} FAILING=${counts#* }
  ask 5 "$KEYS/restarts/$SERVICE"
  case $STATUS in
  200 | 404) ;;
  *) return 1 ;;
  esac
  while [ "$ANSWER" != "${ANSWER#*'"value":"'}" ]; do
    ANSWER=${ANSWER#*'"value":"'}
    [ "${ANSWER%%'"'*}" = "$UNIT" ] || ALL=$((ALL + 1)) FAILING=$((FAILING + 1))
  done
}

# decide NAME WHY: logs once why UNIT is not restarted.
decide() {
  [ "$DECISION" = "$1" ] || say "$UNIT is not restarted: $2"
  DECISION=$1
}

# take_any_slot: takes a slot of the restarts of SERVICE for UNIT, until it is registered again. There are as many as its
# rollout may replace at once.
take_any_slot() {
  slots=$PARALLEL
  case $PARALLEL in
  *%) slots=$((ALL * ${PARALLEL%\%} / 100)) ;;
  esac
  slot=1
  until take_slot "$slot"; do
    case $STATUS in
    404 | 412) ;;
    *) return 1 ;;
    esac
    slot=$((slot + 1))
    [ "$slot" -le "$slots" ] || {
      decide slots "as many instances of $SERVICE as its rollout replaces at once are being restarted"
      return 1
    }
  done
  say "$slot" >"$FOLDER/restarts/$UNIT"
}

# take_slot NUMBER: fails with STATUS 412 for the slot of another unit.
take_slot() {
  key=$KEYS/restarts/$SERVICE/$1
  ask 5 -X PUT -d prevExist=false -d "ttl=$RESTART_SEC" -d "value=$UNIT" "$key"
  # A slot that the unit did not give back is its own.
  [ "$STATUS" != 412 ] || ask 5 -X PUT -d "prevValue=$UNIT" -d "ttl=$RESTART_SEC" -d "value=$UNIT" "$key"
  case $STATUS in
  200 | 201) ;;
  *) return 1 ;;
  esac
}

# keep_slot: the described unit starts. While it does not come back, no other instance is restarted in its place.
keep_slot() {
  [ -f "$FOLDER/restarts/$UNIT" ] || return 0
  read -r slot <"$FOLDER/restarts/$UNIT"
  ask 2 -X PUT -d refresh=true -d "prevValue=$UNIT" -d "ttl=$(restart_limit)" "$KEYS/restarts/$SERVICE/$slot"
}

# give_slot_back: without an answer of etcd, the slot ends after its time.
give_slot_back() {
  [ -f "$FOLDER/restarts/$UNIT" ] || return 0
  read -r slot <"$FOLDER/restarts/$UNIT"
  ask 2 -G -X DELETE -d "prevValue=$UNIT" "$KEYS/restarts/$SERVICE/$slot"
  rm -f "$FOLDER/restarts/$UNIT"
}
