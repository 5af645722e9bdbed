# Requests to etcd's v2 API.

# ask LIMIT CURL-ARGUMENT...: sets ANSWER, and STATUS, which is 000 when etcd does not answer within LIMIT seconds, or
# only with a part of its answer. -g: brackets in a key are literal.
ask() {
  LIMIT=$1
  shift
  ANSWER=$(curl -sSg -m "$LIMIT" -w ' %{http_code}' "$@" 2>&1) || ANSWER="${ANSWER% *} 000"
  STATUS=${ANSWER##* }
  ANSWER=${ANSWER% *}
  ANSWER=${ANSWER%"$NEWLINE"}
  case $STATUS in
  [1-5][0-9][0-9]) ;;
  *) STATUS=000 ;;
  esac
}

# unanswered: whether etcd did not answer, or has no leader: the request may have had no effect.
unanswered() {
  case $STATUS in
  000 | 5*) ;;
  *) return 1 ;;
  esac
}

# delete_read INDEX KEY: removes KEY unless it was written since it was read with INDEX.
delete_read() {
  ask 5 -G -X DELETE -d "prevIndex=$1" "$ETCD$2"
}

# field NAME: the number NAME of the node in ANSWER, "" for none. It comes after the value, whose quotes have a backslash.
# A pattern that is searched for from the wrong end, or in vain, takes the shell minutes in a long value of a guest.
field() {
  case $ANSWER in
  *\""$1"\":*)
    FIELD=${ANSWER##*\""$1"\":}
    FIELD=${FIELD%%[!0-9]*}
    ;;
  *) FIELD='' ;;
  esac
}

# node_value: the value of the node in ANSWER. Fails for one with control characters, as etcd escapes no others than
# these; and for one that is far longer than a unit's: a guest's quotes take the shell minutes, and its machine would be
# silent.
node_value() {
  [ ${#ANSWER} -le 8192 ] || return 1
  rest=${ANSWER#*\"value\":\"} text=''
  while :; do
    plain=${rest%%[\"\\]*}
    text=$text$plain
    rest=${rest#"$plain"}
    case $rest in
    '"'*) break ;;
    '\"'*) text="$text\"" rest=${rest#??} ;;
    "\\\\"*) text="$text\\" rest=${rest#??} ;;
    '\u003c'*) text="$text<" rest=${rest#??????} ;;
    '\u003e'*) text="$text>" rest=${rest#??????} ;;
    '\u0026'*) text="$text&" rest=${rest#??????} ;;
    *) return 1 ;;
    esac
  done
  say "$text"
}

# by_app [LEASE [RUN]]: whether ANSWER has a registration that the app itself wrote on this machine. Such a value begins
# with the machine, the owner of its lease (LEASE; else app or beacon) and the run of the unit (RUN; else any).
by_app() {
  run=''
  [ $# -lt 2 ] || run="\\\"run\\\":\\\"$2\\\""
  case $ANSWER in
  *'"value":"{\"machine\":\"'"$MACHINE"'\",\"lease\":\"'"${1:-app}"'\",'"$run"*) ;;
  *'"value":"{\"machine\":\"'"$MACHINE"'\",\"lease\":\"'"${1:-beacon}"'\",'"$run"*) ;;
  *) return 1 ;;
  esac
}

# listed: writes one line for each key in ANSWER, which is etcd's for a directory: its modifiedIndex, the machine in its
# value ("-" for none), "failing", "draining", the clock of a heartbeat or "-", and the key. Quotes in a value have a
# backslash in the answer, those of etcd none. Guests write keys and values: what no unit or machine is called is left
# out, as it would be another URL or more words; and so is what is far longer than a unit's.
listed() (
  set -f
  IFS='{'
  key='' machine=- mark=-
  for part in $ANSWER; do
    if [ ${#part} -gt 8192 ]; then
      key=''
      continue
    fi
    case $part in
    '"key":"'*'","value":"'*)
      key=${part#'"key":"'}
      key=${key%%'"'*}
      machine=- mark=-
      ;;
    esac
    case $part in
    *'\"machine\":\"'*)
      if [ "$machine" = - ]; then
        machine=${part#*'\"machine\":\"'}
        machine=${machine%%'\"'*}
      fi
      ;;
    esac
    case $part in
    *'\"failing\":'*) mark=failing ;;
    *'\"draining\":true'*) mark=draining ;;
    *'\"clock\":'*)
      mark=${part#*'\"clock\":'}
      mark=${mark%%[!0-9]*}
      ;;
    esac
    case $part in
    *'"modifiedIndex":'*)
      # The last key of a directory is followed by the index of the directory.
      index=${part#*'"modifiedIndex":'}
      case $key$machine in
      *[!A-Za-z0-9/@:._-]*) key='' ;;
      esac
      if [ "$key" ]; then
        printf '%s %s %s %s\n' "${index%%[!0-9]*}" "${machine:--}" "${mark:--}" "$key"
      fi
      key=''
      ;;
    esac
  done
)
