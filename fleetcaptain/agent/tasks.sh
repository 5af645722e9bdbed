# Tasks: commands that a deployment runs once, or that a timer starts. The key _tasks/<task>/last is the journal of a
# task: a deployment writes a run that it wants, the unit's machine claims it before the container starts, renews the
# claim while the container runs, and writes how it ended; each by compare-and-swap. So no run starts twice, whatever
# fleet does with the unit. A timer starts a run unless another one has the claim. Only etcd's superuser writes the key.

ROOT_SOCKET=/run/etcd.sock
ROOT_PASSWORD=/etc/fleetcaptain/etcd-root
# Without an answer of etcd for so long the container is stopped. A deployment takes a claim for lost that was not renewed
# for a minute more: the task runs nowhere then.
TASK_ALONE_SEC=120
TASK_RENEW_SEC=3
# A claim that was not renewed for so long is lost: its container was stopped a minute ago.
TASK_LOST_SEC=180
TASK_RECORD_SEC=900
# What the journal has of the output. base64 makes it a third longer.
TASK_TAIL_BYTES=3000
TASK_LOG_BYTES=1000000

# task UNIT COMMAND...: runs COMMAND, the container of UNIT, if the journal wants this run, or has none of a periodic
# task. REASON is why the run ended, CODE its exit code.
task() {
  describe "$1" || exit
  shift
  PERIODIC=$(setting Periodic)
  TASK=${PERIODIC:-$(setting Task)}
  TASK_SEC=$(setting TaskSec)
  TASK_KEY=$KEYS/_tasks/$TASK/last
  LOG=$APPS/$APP/tasks/$UNIT
  LINES_BEFORE=0 STOPPED='' REASON=exited CODE=1
  read -r RUN </proc/sys/kernel/random/uuid
  mkdir -p "$APPS/$APP/tasks" && : >"$LOG" && rm -f "$LOG".* || exit
  trap 'STOPPED=yes' TERM INT
  if [ "$PERIODIC" ]; then
    is_free || exit
  else
    is_wanted || exit
  fi
  if ! docker image inspect "$IMAGE" >/dev/null 2>&1 && ! pull "$IMAGE" >"$LOG"; then
    cat "$LOG"
    REASON=pull
    claim && record
    exit 1
  fi
  : >"$LOG" # of the pull
  [ -z "$STOPPED" ] || exit 1
  claim || exit
  perform "$@"
  record
  exit "$CODE"
}

# ask_as_root LIMIT CURL-ARGUMENT...: as ask, with all rights: by the machine's certificate, or its password, which curl
# reads from its standard input, since everyone can read arguments.
ask_as_root() {
  limit=$1
  shift
  if [ -S "$ROOT_SOCKET" ]; then
    ask "$limit" --unix-socket "$ROOT_SOCKET" "$@"
  elif [ -r "$ROOT_PASSWORD" ]; then
    ask "$limit" -K - "$@" <<EOF
user = "root:$(cat "$ROOT_PASSWORD")"
EOF
  else
    ask "$limit" "$@"
  fi
}

# is_wanted: whether the journal wants this run. Sets INDEX, of the key, and FACTS, what the deployment says of the run.
is_wanted() {
  attempt=0
  while
    ask_as_root 5 "$TASK_KEY?quorum=true"
    unanswered && [ "$attempt" -lt 60 ]
  do
    attempt=$((attempt + 1))
    sleep 1
  done
  field modifiedIndex
  INDEX=$FIELD
  case $ANSWER in
  *'"value":"{\"state\":\"wanted\",\"unit\":\"'"$UNIT"'\",'*)
    FACTS=$(node_value) || return
    FACTS=${FACTS#*'","unit":"'*'",'}
    FACTS=${FACTS%\}}
    ;;
  *'"value":"{\"state\":\"running\",\"unit\":\"'"$UNIT"'\",'*'\"machine\":\"'"$MACHINE"'\"'*)
    # systemd runs a unit once at a time: that run is over, and could not write how it ended. Its container is removed.
    FACTS=$(node_value) || return
    FACTS=${FACTS#*'","unit":"'*'",'}
    FACTS=${FACTS%%',"machine":'*}
    REASON=lost
    record
    return 1
    ;;
  *)
    say "not running $UNIT: the journal of $TASK does not want this run; etcd answered $STATUS"
    return 1
    ;;
  esac
}

# is_free: whether no other run of the task goes on: of this unit on another machine, or by a deployment. Waits for one
# that is not renewed until it is lost. Sets INDEX, of the key, "" for none, and FACTS.
is_free() {
  clock
  since=$NOW seen='' INDEX=''
  while :; do
    ask_as_root 5 "$TASK_KEY?quorum=true"
    clock
    field modifiedIndex
    case $STATUS:$ANSWER in
    404:*) break ;;
    # systemd runs a unit once at a time: that run is over, and could not write how it ended.
    200:*'"value":"{\"state\":\"running\",\"unit\":\"'"$UNIT"'\",'*'\"machine\":\"'"$MACHINE"'\"'*)
      INDEX=$FIELD
      break
      ;;
    200:*'"value":"{\"state\":\"running\"'* | 200:*'"value":"{\"state\":\"wanted\"'*)
      if [ ! "$seen" ]; then
        say "another run of $TASK has the claim: waiting whether it renews it"
        seen=$FIELD since=$NOW
      elif [ "$FIELD" != "$seen" ]; then
        say "not running $UNIT: another run of $TASK goes on"
        return 1
      elif [ $((NOW - since)) -ge "$TASK_LOST_SEC" ]; then
        say "the other run of $TASK is lost: it did not renew its claim for $TASK_LOST_SEC s"
        INDEX=$FIELD
        break
      fi
      ;;
    200:*)
      INDEX=$FIELD
      break
      ;;
    *)
      if ! unanswered || [ $((NOW - since)) -ge "$TASK_LOST_SEC" ]; then
        say "not running $UNIT: could not read the journal of $TASK: etcd answered $STATUS: $ANSWER"
        return 1
      fi
      ;;
    esac
    [ ! "$STOPPED" ] || return 1
    sleep 1 &
    wait $!
  done
  content=$(sha1sum <"$UNITS/$UNIT")
  FACTS='"content":"'${content%% *}'","who":"'${UNIT%.*}'.timer","asked":"'$(date -u +%FT%TZ)'"'
}

# entry STATE: the journal's value for this run.
entry() {
  lines=$(wc -l <"$LOG")
  output=$(cat "$LOG.before" "$LOG" 2>/dev/null | tail -c "$TASK_TAIL_BYTES" | base64 | tr -d '\n')
  printf '{"state":"%s","unit":"%s",%s,"machine":"%s","run":"%s","lines":%d,"output":"%s"' \
    "$1" "$UNIT" "$FACTS" "$MACHINE" "$RUN" $((LINES_BEFORE + lines)) "$output"
  [ "$1" = running ] || printf ',"reason":"%s","status":%d,"until":"%s"' "$REASON" "$CODE" "$(date -u +%FT%TZ)"
  printf '}'
}

# swap STATE: writes the entry, if the key is as this run read or wrote it last. Fails with STATUS: 000 when the same
# again may succeed.
swap() {
  entry "$1" >"$LOG.entry"
  before=prevExist=false
  [ ! "$INDEX" ] || before=prevIndex=$INDEX
  ask_as_root 5 -X PUT -d "$before" --data-urlencode "value@$LOG.entry" "$TASK_KEY"
  if [ "$STATUS" = 200 ] || [ "$STATUS" = 201 ]; then
    ANSWER=${ANSWER%%',"prevNode":'*}
    field modifiedIndex
    INDEX=$FIELD
    return
  fi
  unanswered || [ "$STATUS" = 412 ] || return
  # It, or the one before, may have been written all the same: its answer was lost.
  ask_as_root 5 "$TASK_KEY?quorum=true"
  [ "$STATUS$INDEX" != 404 ] || STATUS=000
  [ "$STATUS" = 200 ] || return
  field modifiedIndex
  written=no
  case $ANSWER in
  *'"value":"{\"state\":\"'"$1"'\",'*'\"run\":\"'"$RUN"'\"'*) written=yes ;;
  *'\"run\":\"'"$RUN"'\"'*) INDEX=$FIELD ;;
  esac
  if [ "$written" = yes ] && [ "$FIELD" != "$INDEX" ]; then
    INDEX=$FIELD
    return
  fi
  STATUS=412
  [ "$FIELD" != "$INDEX" ] || STATUS=000
  return 1
}

# claim: takes the run, so that it starts nowhere else. Fails if something else was written, or etcd does not answer.
claim() {
  attempt=0
  until swap running; do
    attempt=$((attempt + 1))
    if ! unanswered || [ "$attempt" -ge 30 ]; then
      say "not running $UNIT: could not claim it in the journal of $TASK: etcd answered $STATUS: $ANSWER"
      [ "$STATUS" != 401 ] || say "this machine has neither $ROOT_SOCKET nor $ROOT_PASSWORD to write the journal with"
      return 1
    fi
    sleep 1
  done
}

# perform COMMAND...: runs COMMAND. Its output goes to the unit's journal, and its end to the task's journal.
perform() {
  clock
  begun=$NOW renewed=$NOW
  {
    with_secrets "$@" 2>&1
    say $? >"$LOG.code"
  } | tee -a "$LOG" &
  performer=$!
  while [ "$REASON" = exited ] && [ ! -s "$LOG.code" ] && kill -0 "$performer" 2>/dev/null; do
    sleep 1 &
    wait $!
    clock
    if [ "$STOPPED" ]; then
      end stopped
    elif [ $((NOW - begun)) -ge "$TASK_SEC" ]; then
      end timeout
    elif [ $((NOW - renewed)) -ge "$TASK_RENEW_SEC" ]; then
      shorten
      if swap running; then
        renewed=$NOW
      elif ! unanswered; then
        end superseded
      elif [ $((NOW - renewed)) -ge "$TASK_ALONE_SEC" ]; then
        end alone
      fi
    fi
  done
  wait "$performer"
  CODE=137
  [ ! -s "$LOG.code" ] || read -r CODE <"$LOG.code"
}

# with_secrets COMMAND...: becomes COMMAND with the unit's variables that are secrets. They are none of this program's own
# variables, whose names they may have.
with_secrets() (
  variables=$FOLDER/secrets/$UNIT/env
  if [ -f "$variables" ]; then
    set -a
    # shellcheck source=/dev/null
    . "$variables"
  fi
  exec "$@"
)

# end REASON: stops the container before its time.
end() {
  REASON=$1
  say "stopping $UNIT: $REASON"
  timeout 30 docker stop -t 10 "$CONTAINER" >/dev/null 2>&1
  timeout 30 docker rm -fv "$CONTAINER" >/dev/null 2>&1
}

# shorten: keeps the file of the output small. Its end stays.
shorten() {
  [ "$(wc -c <"$LOG")" -gt "$TASK_LOG_BYTES" ] || return 0
  lines=$(wc -l <"$LOG")
  LINES_BEFORE=$((LINES_BEFORE + lines))
  tail -c "$TASK_TAIL_BYTES" "$LOG" >"$LOG.before"
  : >"$LOG"
}

# record: writes how the run ended. While etcd does not answer it tries again, for a quarter of an hour.
record() {
  state=failed
  [ "$REASON:$CODE" != exited:0 ] || state='done'
  [ "$REASON" != lost ] || state=unknown
  clock
  begun=$NOW
  until swap "$state"; do
    clock
    if ! unanswered || [ $((NOW - begun)) -ge "$TASK_RECORD_SEC" ]; then
      say "could not write the result of $UNIT: etcd answered $STATUS: $ANSWER"
      return 1
    fi
    sleep 2
  done
  rm -f "$LOG" "$LOG".*
}
