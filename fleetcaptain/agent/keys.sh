# Requests to etcd's v2 API.

# ask LIMIT CURL-ARGUMENT...: sets ANSWER, and STATUS, which is 000 when etcd does not answer within LIMIT seconds, or
# only with a part of its answer.
ask() {
  LIMIT=$1
  shift
  ANSWER=$(curl -sS -m "$LIMIT" -w ' %{http_code}' "$@" 2>&1) || ANSWER="$ANSWER 000"
  STATUS=${ANSWER##* }
  ANSWER=${ANSWER% *}
}

# field NAME: the number NAME of the node in ANSWER; it comes after the value.
field() {
  FIELD=${ANSWER##*\"value\":\"}
  FIELD=${FIELD##*\""$1"\":}
  FIELD=${FIELD%%[!0-9]*}
}

# by_app [LEASE]: whether ANSWER has a registration that the app itself wrote on this machine. Such a value begins
# with the machine, the owner of its lease (LEASE; else app or beacon) and the run of the unit.
by_app() {
  case $ANSWER in
  *'"value":"{\"machine\":\"'"$MACHINE"'\",\"lease\":\"'"${1:-app}"'\"'*) ;;
  *'"value":"{\"machine\":\"'"$MACHINE"'\",\"lease\":\"'"${1:-beacon}"'\"'*) ;;
  *) return 1 ;;
  esac
}

# nodes: reads etcd's answer for a directory; writes one line for each key: its modifiedIndex, the machine in its value
# ("-" for none), "failing" or "-", and the key. Quotes in a value have a backslash in the answer, those of etcd none.
nodes() {
  tr '{' '\n' | {
    key='' machine=- failing=-
    while IFS= read -r part; do
      case $part in
      '"key":"'*'","value":"'*)
        key=${part#'"key":"'}
        key=${key%%'"'*}
        machine=- failing=-
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
      *'\"failing\":'*) failing=failing ;;
      esac
      case $part in
      *'"modifiedIndex":'*)
        index=${part##*'"modifiedIndex":'}
        if [ "$key" ]; then
          printf '%s %s %s %s\n' "${index%%[!0-9]*}" "${machine:--}" "$failing" "$key"
        fi
        key=''
        ;;
      esac
    done
  }
}
