# Windows: times at which a service needs more instances than usual. A deployment writes the plan of each service to the
# key _windows/<service>/plan, and its units, of which some wait. What must run is a function of the plan and the time, so
# the agents compute it once a minute, and compare it with the key _windows/<service>/state, which says what they did
# last. Only where both differ one of them takes the lock of the service's rollouts, sets the units through fleet and
# writes the state. A moment that all of them missed is made up for at the next look.

FLEET_SOCKET=/run/fleet.sock
FLEET=http://fleet/fleet/v1
WINDOWS_EVERY_SEC=60
# So long after the agent's start it has seen each of the other machines alive, and their clocks.
FIRST_WINDOWS_SEC=12
# So often the units of open windows are looked at: the state alone does not say whether they were stopped since.
WINDOWS_CHECK_EVERY_SEC=600
WINDOWS_CHECK_AT=0
CHECK=no
# As KEEP_SEC of the plan's values.
WINDOW_KEEP_SEC=600
SOON_SEC=0
WINDOW_LOCK_SEC=30
WINDOW_RENEW_SEC=10
WINDOW_EVENT_SEC=172800
# So long after a failure this agent sets no units: else rollouts and the other agents would always find a lock.
WINDOWS_PAUSE_SEC=30
PAUSED_UNTIL=0
PAUSED=no
# The agent that opened a window looks at each step for so long whether the instances are ready, then once a minute.
WINDOW_STEPS_SEC=600
PLAN_BYTES=262144
STATE_BYTES=512
MOST_INSTANCES=100
# The beginning of who holds the lock.
LOCKED_BY_AGENT='the machine agent of '

# watch_windows: the step of the loop, when it is due: at WINDOWS_AT, which is the next step while a rollout has the lock or
# an opening of this machine is not ready, and sooner than in a minute after a failure.
watch_windows() {
  [ "$NOW" -ge "$WINDOWS_AT" ] || return 0
  WINDOWS_AT=$((NOW + WINDOWS_EVERY_SEC))
  ask 5 "$KEYS/_windows?recursive=true"
  case $STATUS in
  200) ;;
  404) return 0 ;;
  *)
    ! unanswered || WINDOWS_AT=0
    return 0
    ;;
  esac
  is_clock_right || return 0
  # For all services of this look: one that always fails must not keep those after it from their turn.
  PAUSED=no
  [ "$NOW" -ge "$PAUSED_UNTIL" ] || PAUSED=yes
  CHECK=no
  [ "$NOW" -lt "$WINDOWS_CHECK_AT" ] || CHECK=yes WINDOWS_CHECK_AT=$((NOW + WINDOWS_CHECK_EVERY_SEC))
  WINDOW_LINES=$(window_lines)
  set -f
  IFS=$NEWLINE
  for line in $WINDOW_LINES; do
    set +f
    unset IFS
    watch_service "$line"
    beat_if_due
  done
  set +f
  unset IFS
}

# window_lines: one line for each service with a plan in ANSWER, which is etcd's for _windows or for a part of it:
# service|index of its state|state|plan, with "-" for no state. The values have no quotes, backslashes and braces: one
# that has, or is too long, is "junk", perhaps without an index. Only splitting into fields is quick in each shell, also
# for long values.
window_lines() (
  set -f
  service='' plan='' state=- index=-
  IFS='{'
  for part in $ANSWER; do
    number=0 names='' key='' value='' modified=''
    IFS='"'
    for field in $part; do
      number=$((number + 1))
      case $number in
      2 | 6 | 10) names="$names $field" ;;
      4) key=$field ;;
      8) value=$field ;;
      11) modified=${field#:} ;;
      esac
    done
    key=${key#"/fleetcaptain/$APP/_windows/"}
    name=${key%/*}
    case $names:$key in
    ' key value '*:*/plan | ' key value '*:*/state) ;;
    ' key value:'*/plan | ' key value:'*/state) ;;
    *) continue ;;
    esac
    [ "$names" = ' key value modifiedIndex' ] || value=junk modified=''
    case $name in
    '' | [.-]* | *[!A-Za-z0-9_.-]*) continue ;;
    esac
    if [ "$name" != "$service" ]; then
      [ ! "$plan" ] || say "$service|$index|$state|$plan"
      service=$name plan='' state=- index=-
    fi
    limit=$PLAN_BYTES
    [ "${key##*/}" = plan ] || limit=$STATE_BYTES
    case $value in
    '' | *[!A-Za-z0-9\ =%@:\;_.-]*) value=junk ;;
    esac
    [ ${#value} -le "$limit" ] || value=junk
    case $key in
    */plan) plan=$value ;;
    *) state=$value index=${modified%%[!0-9]*} ;;
    esac
  done
  [ ! "$plan" ] || say "$service|$index|$state|$plan"
)

# watch_service LINE: of window_lines. Opens or closes what is due, or looks whether the last opening is ready.
watch_service() {
  choose "$1" || return 0
  if [ "$STATE_TO" != "$DESIRED" ]; then
    try_move
  elif [ "$STATE_READY" = - ]; then
    watch_ready
  elif [ "$CHECK" = yes ] && ! are_launched; then
    try_move check
  fi
}

# try_move [check]: move, unless a failure was a moment ago. Sets WINDOWS_AT if it must be tried again.
try_move() {
  if [ "$PAUSED" = no ]; then
    move "$@" && return
    [ "$PAUSED_UNTIL" -gt "$NOW" ] || WINDOWS_AT=0
  fi
  [ "$WINDOWS_AT" -le "$PAUSED_UNTIL" ] || WINDOWS_AT=$PAUSED_UNTIL
}

# are_launched: whether fleet is to run all units that an open window needs. An operator may have stopped one.
are_launched() {
  unit_number=$PLAN_BASE
  while [ "$unit_number" -lt "$DESIRED" ]; do
    unit_number=$((unit_number + 1))
    ask_fleet "$FLEET/units/${PLAN_UNIT%%%*}$unit_number${PLAN_UNIT#*%}"
    case $STATUS:$ANSWER in
    200:*'"desiredState":"launched"'*) ;;
    200:*) return 1 ;;
    esac
    beat_if_due
  done
}

# choose LINE: as choose_number. But what runs and is needed again soon goes on running: to stop and to start it would be
# in vain, and a rollout that is quicker than expected has opened a window early.
choose() {
  choose_number "$1" || return
  [ "${STATE_TO:-0}" -gt "$DESIRED" ] || return 0
  kept=$DESIRED
  SOON_SEC=$WINDOW_KEEP_SEC
  read_plan all
  SOON_SEC=0
  [ "$DESIRED" -gt "$kept" ] || DESIRED=$kept
  [ "$DESIRED" -lt "$STATE_TO" ] || DESIRED=$STATE_TO
}

# choose_number LINE: sets WINDOW_SERVICE, what read_plan and read_state set, and DESIRED: how many instances must run now. A
# window that needs machines of its own brings no more than the units that wait on other machines, until enough machines
# are in fleet. Fails if the plan cannot be read.
choose_number() {
  WINDOW_SERVICE=${1%%'|'*}
  rest=${1#*'|'}
  STATE_INDEX=${rest%%'|'*}
  rest=${rest#*'|'}
  STATE=${rest%%'|'*}
  PLAN=${rest#*'|'}
  EPOCH=$(date +%s)
  read_plan fixed || {
    say_once "$WINDOW_SERVICE:plan" "$WINDOW_SERVICE: cannot read the plan of its windows: deploy the app again"
    return 1
  }
  forget "$WINDOW_SERVICE:plan"
  read_state
  if [ "$NEED" = 0 ]; then
    forget "$WINDOW_SERVICE:machines"
    return 0
  fi
  FIXED=$DESIRED
  read_plan all
  running=${STATE_TO:-$PLAN_BASE}
  if [ "$DESIRED" = "$FIXED" ] || [ "$running" -ge "$DESIRED" ] || has_machines; then
    forget "$WINDOW_SERVICE:machines"
    return 0
  fi
  [ "$DESIRED" -le "$PLAN_WARM" ] || DESIRED=$PLAN_WARM
  [ "$DESIRED" -ge "$running" ] || DESIRED=$running
  [ "$DESIRED" -gt "$FIXED" ] || read_plan fixed
}

# read_plan all|fixed: parses PLAN. Sets PLAN_UNIT and the numbers PLAN_BASE, PLAN_MOST, PLAN_WARM and PLAN_LEAD; for the
# time EPOCH sets DESIRED, the most of all open windows (fixed: of those that need no machines), and of these the window's
# name WINDOW and its ready_by DUE, 0 for none; NEED, the machines that all open windows need.
read_plan() {
  PLAN_UNIT='' PLAN_BASE='' PLAN_MOST='' PLAN_WARM='' PLAN_LEAD=''
  DESIRED='' DUE=0 WINDOW='' NEED=0
  version='' good=yes
  set -f
  IFS='; '
  for word in $PLAN; do
    case $word in
    v1) version=v1 ;;
    unit=*) PLAN_UNIT=${word#*=} ;;
    base=*) PLAN_BASE=${word#*=} ;;
    most=*) PLAN_MOST=${word#*=} ;;
    warm=*) PLAN_WARM=${word#*=} ;;
    lead=*) PLAN_LEAD=${word#*=} ;;
    *:*)
      # The first series comes after all of these.
      if [ ! "$DESIRED" ]; then
        has_numbers || good=no
        DESIRED=$PLAN_BASE
      fi
      [ "$good" = no ] || read_series "$word" "$1" || good=no
      ;;
    esac
    [ "$good" = yes ] || break
  done
  set +f
  unset IFS
  [ "$version$good" = v1yes ] && has_numbers || return 1
  [ "$DESIRED" ] || DESIRED=$PLAN_BASE
  [ "$DESIRED" -le "$PLAN_MOST" ] || DESIRED=$PLAN_MOST
}

# has_numbers: whether the plan has what it must have before its series.
has_numbers() {
  case $PLAN_UNIT in
  *%*%* | [.-]* | *[!A-Za-z0-9_:.@%-]*) return 1 ;;
  *%*) ;;
  *) return 1 ;;
  esac
  is_number "$PLAN_BASE" && is_number "$PLAN_MOST" && is_number "$PLAN_WARM" && is_number "$PLAN_LEAD" || return
  [ "$PLAN_BASE" -le "$PLAN_WARM" ] && [ "$PLAN_WARM" -le "$PLAN_MOST" ] && [ "$PLAN_MOST" -le "$MOST_INSTANCES" ]
}

# read_series START:STEP:COUNT:LENGTH:AT_LEAST:MACHINES:NAME all|fixed: the part of read_plan for one series. Of its
# occurrences, which are all equally long, the last one that has begun ends last. Fails for one that is none.
read_series() {
  start=${1%%:*} rest=${1#*:}
  step=${rest%%:*} rest=${rest#*:}
  count=${rest%%:*} rest=${rest#*:}
  length=${rest%%:*} rest=${rest#*:}
  at_least=${rest%%:*} rest=${rest#*:}
  machines=${rest%%:*} name=${rest#*:}
  is_number "$start" && is_number "$step" && is_number "$count" && is_number "$length" || return
  is_number "$at_least" && is_number "$machines" || return
  # Without all of the parts the last one is the one before, too.
  [ "$name" != "$rest" ] || return
  case $name in
  '' | *[!A-Za-z0-9_.-]*) return 1 ;;
  esac
  since=$((EPOCH + PLAN_LEAD + SOON_SEC - start))
  [ "$since" -ge 0 ] && [ "$count" -gt 0 ] || return 0
  last=0
  [ "$step" = 0 ] || last=$((since / step))
  [ "$last" -lt "$count" ] || last=$((count - 1))
  start=$((start + last * step))
  [ "$EPOCH" -lt $((start + length)) ] || return 0
  if [ "$machines" -gt 0 ]; then
    [ "$machines" -le "$NEED" ] || NEED=$machines
    [ "$2" = all ] || return 0
  fi
  if [ "$at_least" -gt "$DESIRED" ] || { [ "$at_least" = "$DESIRED" ] && [ "$start" -lt "$DUE" ]; }; then
    DESIRED=$at_least DUE=$start WINDOW=$name
  fi
}

# is_number TEXT: a decimal number that the shell's arithmetic takes for the same one.
is_number() {
  case $1 in
  0) ;;
  '' | 0* | *[!0-9]* | ?????????????*) return 1 ;;
  esac
}

# read_state: parses STATE. Sets STATE_TO, how many instances run, and STATE_AT, STATE_FROM, STATE_DUE, STATE_BY and
# STATE_READY. Without a state the usual number runs. Of one that cannot be read STATE_TO is "": the units are set again.
read_state() {
  STATE_AT='' STATE_FROM='' STATE_TO='' STATE_DUE='' STATE_BY='' STATE_READY=''
  if [ "$STATE" = - ]; then
    STATE_TO=$PLAN_BASE
    return
  fi
  set -f
  for word in $STATE; do
    case $word in
    at=*) STATE_AT=${word#*=} ;;
    from=*) STATE_FROM=${word#*=} ;;
    to=*) STATE_TO=${word#*=} ;;
    due=*) STATE_DUE=${word#*=} ;;
    by=*) STATE_BY=${word#*=} ;;
    ready=*) STATE_READY=${word#*=} ;;
    esac
  done
  set +f
  is_state || STATE_TO=''
}

is_state() {
  is_number "$STATE_AT" && is_number "$STATE_FROM" && is_number "$STATE_TO" && is_number "$STATE_DUE" || return
  case $STATE_BY in
  '' | [.-]* | *[!A-Za-z0-9_.-]*) return 1 ;;
  esac
  [ "$STATE_FROM" -le "$MOST_INSTANCES" ] && [ "$STATE_TO" -le "$MOST_INSTANCES" ]
}

# add_needs: adds to NEED what the open windows of the app's other services need, as their machines are the same ones: a
# window that takes those of another has that one's units on the usual machines, and fleet never moves them.
add_needs() {
  own=$PLAN all_need=$NEED
  set -f
  IFS=$NEWLINE
  for other in $WINDOW_LINES; do
    set +f
    unset IFS
    [ "${other%%'|'*}" != "$WINDOW_SERVICE" ] || continue
    PLAN=${other##*'|'}
    ! read_plan fixed || all_need=$((all_need + NEED))
    beat_if_due
  done
  set +f
  unset IFS
  PLAN=$own
  read_plan all
  NEED=$all_need
}

# has_machines: whether the machines that all open windows need are in fleet; says once if not.
has_machines() {
  add_needs
  token='' machines=0
  while :; do
    ask_fleet "$FLEET/machines$token"
    if [ "$STATUS" != 200 ]; then
      fail "could not list the machines: fleet answered $STATUS: $ANSWER"
      return
    fi
    set -f
    IFS='{'
    for part in $ANSWER; do
      case $part in
      *'"group":"windows"'*) machines=$((machines + 1)) ;;
      esac
    done
    set +f
    unset IFS
    [ "$machines" -lt "$NEED" ] || return 0
    # A page has a hundred of them, and there may be an empty one at the end.
    case $ANSWER in
    *'"nextPageToken":"'*) token=${ANSWER##*'"nextPageToken":"'} ;;
    *) break ;;
    esac
    token="?nextPageToken=${token%%'"'*}"
  done
  say_once "$WINDOW_SERVICE:machines" "window $WINDOW of $WINDOW_SERVICE waits for its machines:" \
    "$machines of $NEED with the metadata group=windows are in fleet"
  return 1
}

# move [check]: brings WINDOW_SERVICE from STATE_TO to DESIRED instances; check: sets the units also if both are equal.
# Fails if it must be tried again.
move() {
  lock_service || return
  ask 5 "$KEYS/_windows/$WINDOW_SERVICE?recursive=true&quorum=true"
  # What was read before the lock may have changed. Without a plan there is nothing to do.
  line=$(window_lines)
  case $STATUS:$line in
  404: | 200:) moved=yes ;;
  200:*)
    moved=yes
    if ! choose "$line"; then
      : # choose said why
    elif [ "$STATE_TO" != "$DESIRED" ]; then
      set_units && note_move || moved=no
    elif [ "${1-}" = check ]; then
      set_units || moved=no
    fi
    ;;
  *)
    moved=no
    fail "could not read its plan: etcd answered $STATUS: $ANSWER"
    ;;
  esac
  [ "$moved" = no ] || forget "$WINDOW_SERVICE:failed"
  unlock_service
  [ "$moved" = yes ]
}

# lock_service: takes the lock of the rollouts of WINDOW_SERVICE. It is read first: a write that fails is one for etcd, too,
# and a rollout may take long.
lock_service() {
  WINDOW_LOCK=$KEYS/locks/$WINDOW_SERVICE
  ask 5 "$WINDOW_LOCK"
  case $STATUS:$ANSWER in
  404:*) ;;
  200:*"$LOCKED_BY_AGENT"*) return 1 ;;
  200:*)
    [ "$STATE_TO" = "$DESIRED" ] || say_once "$WINDOW_SERVICE:locked" \
      "window of $WINDOW_SERVICE: ${STATE_TO:-?} -> $DESIRED instances waits for the rollout of $WINDOW_SERVICE"
    return 1
    ;;
  *) return 1 ;;
  esac
  read -r token </proc/sys/kernel/random/uuid
  clock
  LOCKED_AT=$NOW
  WINDOW_OWNER='{"who":"'$LOCKED_BY_AGENT${COREOS_PRIVATE_IPV4:-$MACHINE}'","since":"'$(date -u +%FT%T+00:00)'",'
  WINDOW_OWNER=$WINDOW_OWNER'"place":"machine '$MACHINE'","pid":'$$',"started":"'$NOW'","token":"'$token'"}'
  ask_as_root 5 -X PUT -d prevExist=false -d "ttl=$WINDOW_LOCK_SEC" --data-urlencode "value=$WINDOW_OWNER" \
    "$WINDOW_LOCK"
  case $STATUS in
  201)
    forget "$WINDOW_SERVICE:locked"
    return 0
    ;;
  412) return 1 ;;
  esac
  fail "could not lock $WINDOW_SERVICE: etcd answered $STATUS: $ANSWER"
  # It may have been written all the same.
  unlock_service
  return 1
}

# renew_lock: while many units are set. Without the lock another agent or a rollout sets the units.
renew_lock() {
  [ $((NOW - LOCKED_AT)) -ge "$WINDOW_RENEW_SEC" ] || return 0
  LOCKED_AT=$NOW
  ask_as_root 5 -X PUT -d refresh=true -d "ttl=$WINDOW_LOCK_SEC" --data-urlencode "prevValue=$WINDOW_OWNER" \
    "$WINDOW_LOCK"
  is_written || fail "lost the lock: etcd answered $STATUS: $ANSWER"
}

unlock_service() {
  ask_as_root 5 -G -X DELETE --data-urlencode "prevValue=$WINDOW_OWNER" "$WINDOW_LOCK"
}

# fail TEXT: says once why the units of WINDOW_SERVICE are not as they must be. This agent sets no units for a while.
fail() {
  PAUSED_UNTIL=$((NOW + WINDOWS_PAUSE_SEC))
  say_once "$WINDOW_SERVICE:failed" "window of $WINDOW_SERVICE: $1"
  return 1
}

# set_units: sets the desired state of all units above the usual number. Sets SKIPPED, the units that are not there.
set_units() {
  SKIPPED='' LAUNCHED='' unit_number=$PLAN_BASE
  while [ "$unit_number" -lt "$PLAN_MOST" ]; do
    unit_number=$((unit_number + 1))
    if [ "$unit_number" -le "$DESIRED" ]; then
      wanted=launched
    elif [ "$unit_number" -le "$PLAN_WARM" ]; then
      wanted=loaded
    else
      wanted=inactive
    fi
    set_unit "${PLAN_UNIT%%%*}$unit_number${PLAN_UNIT#*%}" "$wanted" || return
    beat_if_due
    renew_lock || return
  done
  [ ! "$LAUNCHED" ] || wake_fleet
}

# wake_fleet: the machines looked for new states at the first of several, and are deaf to others for a second. A state that
# is written again has them look again; else they do so within five seconds.
wake_fleet() {
  sleep 1 &
  wait $!
  put_unit "$LAUNCHED" launched
}

# set_unit UNIT STATE: has fleet launch, load or unload UNIT. Another app may have a unit of that name by now.
set_unit() {
  ask_fleet "$FLEET/units/$1"
  case $STATUS:$ANSWER in
  200:*'{"name":"App","section":"X-FleetCaptain","value":"'"$APP"'"}'*) ;;
  200:* | 404:*)
    SKIPPED="$SKIPPED $1"
    return 0
    ;;
  *)
    fail "could not read $1: fleet answered $STATUS: $ANSWER"
    return
    ;;
  esac
  case $ANSWER in
  *'"desiredState":"'"$2"'"'*) return 0 ;;
  esac
  put_unit "$1" "$2"
  if [ "$STATUS" != 204 ]; then
    fail "could not set $1 to $2: fleet answered $STATUS: $ANSWER"
    return
  fi
  [ "$2" != launched ] || LAUNCHED=$1
}

put_unit() {
  ask_fleet -X PUT -H 'Content-Type: application/json' -d "{\"desiredState\":\"$2\"}" "$FLEET/units/$1"
}

# ask_fleet CURL-ARGUMENT...: as ask, to fleet's API.
ask_fleet() {
  ask 5 --unix-socket "$FLEET_SOCKET" "$@"
}

# note_move: writes the event, then the state, which ends it: without the state it is tried again. A closing is ready at
# once.
note_move() {
  before=${STATE_TO:-$PLAN_BASE} ready=-
  [ "$DESIRED" -gt "$before" ] || DUE=0
  [ "$DUE" -gt 0 ] || ready=$EPOCH
  case $STATE_INDEX in
  -) compared=prevExist=false ;;
  '') compared=prevExist=true ;;
  *) compared=prevIndex=$STATE_INDEX ;;
  esac
  event="at=$EPOCH from=$before to=$DESIRED due=$DUE by=$MACHINE ready=$ready"
  if ! write_event "$EPOCH" "$event" || ! write_state "$compared" "$event"; then
    fail "could not write its state: etcd answered $STATUS: $ANSWER"
    return
  fi
  forget "$WINDOW_SERVICE:late"
  if [ "$DUE" -gt 0 ]; then
    say "window $WINDOW of $WINDOW_SERVICE: $before -> $DESIRED instances, $(due_in)"
    WINDOWS_AT=0
  elif [ "$DESIRED" -lt "$before" ]; then
    say "$WINDOW_SERVICE: $before -> $DESIRED instances, its window ended"
  else
    say "$WINDOW_SERVICE: $before -> $DESIRED instances"
  fi
  [ ! "$SKIPPED" ] || say "$WINDOW_SERVICE: skipped$SKIPPED, which fleet does not have: deploy the app again"
}

due_in() {
  if [ "$DUE" -ge "$EPOCH" ]; then
    say "due in $((DUE - EPOCH)) s"
  else
    say "due $((EPOCH - DUE)) s ago"
  fi
}

write_event() {
  ask_as_root 5 -X PUT -d "ttl=$WINDOW_EVENT_SEC" --data-urlencode "value=$2" \
    "$KEYS/_window_events/$WINDOW_SERVICE/$1"
  is_written
}

write_state() {
  ask_as_root 5 -X PUT -d "$1" --data-urlencode "value=$2" "$KEYS/_windows/$WINDOW_SERVICE/state"
  is_written
}

is_written() {
  [ "$STATUS" = 200 ] || [ "$STATUS" = 201 ]
}

# watch_ready: writes when the instances of the last opening are all in discovery. Its own agent looks often; each other
# one too, from a minute on, as that machine may be gone.
watch_ready() {
  age=$((EPOCH - STATE_AT))
  if [ "$STATE_BY" = "$MACHINE" ]; then
    [ "$age" -ge "$WINDOW_STEPS_SEC" ] || WINDOWS_AT=0
  elif [ "$age" -lt "$WINDOWS_EVERY_SEC" ]; then
    return
  fi
  ask 5 "$KEYS/services/$WINDOW_SERVICE?recursive=true"
  case $STATUS in
  200 | 404) ;;
  *) return ;;
  esac
  found=$(listed | {
    all=''
    while read -r _ _ mark _; do [ "$mark" != - ] || all="$all."; done
    say ${#all}
  })
  if [ "$found" -lt "$STATE_TO" ]; then
    say_late
    return
  fi
  event="at=$STATE_AT from=$STATE_FROM to=$STATE_TO due=$STATE_DUE by=$STATE_BY ready=$EPOCH"
  write_state "prevIndex=$STATE_INDEX" "$event" || return
  write_event "$STATE_AT" "$event"
  if [ "$EPOCH" -le "$STATE_DUE" ]; then
    say "$WINDOW_SERVICE: $STATE_TO instances ready $((STATE_DUE - EPOCH)) s before $(time_of_day "$STATE_DUE")"
  else
    say "$WINDOW_SERVICE: $STATE_TO instances ready $((EPOCH - STATE_DUE)) s too late for $(time_of_day "$STATE_DUE")"
  fi
}

# say_late: once, by the agent that opened the window; by the others if its machine is gone.
say_late() {
  [ "$STATE_DUE" -gt 0 ] && [ "$EPOCH" -ge "$STATE_DUE" ] || return
  [ "$STATE_BY" = "$MACHINE" ] || [ ! -f "$FOLDER/machines/$STATE_BY" ] || return
  say_once "$WINDOW_SERVICE:late" \
    "$WINDOW_SERVICE: $found of $STATE_TO instances are ready at $(time_of_day "$STATE_DUE"), when all must be"
}

# time_of_day SECONDS: of the Unix clock, in UTC.
time_of_day() {
  printf '%02d:%02d:%02dZ' $(($1 / 3600 % 24)) $(($1 / 60 % 60)) $(($1 % 60))
}
