# Prints the HTTP status of a HEAD for each manifest, one a line. Arguments: the file with docker's logins as
# `docker_config` writes it, "" for none; the seconds for a request; the accepted types; then for each manifest its URL
# and the name under which docker keeps the login at its registry.
#
# A login goes to the registry itself, and to the token server that the registry names, over https or on the loopback.
# Redirects are not followed. What is secret is on curl's input, never among its arguments.

FILE=$1
SECONDS_EACH=$2
ACCEPT=$3
shift 3
NEWLINE='
'
LOGINS=''
if [ "$FILE" ]; then
  LOGINS=$(cat "$FILE" 2>/dev/null || sudo -n cat "$FILE" 2>/dev/null </dev/null)
fi

# quiet_curl ARGUMENT...: curl with these, and a configuration on its input.
quiet_curl() {
  curl -s -g --proto =http,https --max-redirs 0 -m "$SECONDS_EACH" -K - "$@"
}

# head_of URL HEADER: sets ANSWER, the headers of the answer, and STATUS. HEADER is sent with it unless it is empty.
head_of() {
  ANSWER=$(
    {
      printf 'url = "%s"\nheader = "Accept: %s"\n' "$1" "$ACCEPT"
      [ -z "$2" ] || printf 'header = "%s"\n' "$2"
    } | quiet_curl -I -w '%{http_code}\n' | head -c 65536
  )
  STATUS=${ANSWER##*"$NEWLINE"}
  case $STATUS in
  [0-9][0-9][0-9]) ;;
  *) STATUS=000 ;;
  esac
}

# login_for NAME: sets LOGIN, user and password in base64, "" for none. A here-document would be a file in some shells.
login_for() {
  LOGIN=$(
    printf '%s\n' "$LOGINS" | while IFS= read -r line; do
      line=${line%,}
      case $line in
      "\"$1\":{\"auth\":\""*'"}')
        line=${line#*'"auth":"'}
        printf '%s' "${line%'"}'}"
        ;;
      esac
    done
  )
  case $LOGIN in
  *[!A-Za-z0-9+/=]*) LOGIN='' ;;
  esac
}

# challenge SCHEME: sets CHALLENGE, what the answer says after this scheme, with a comma before. Fails if it does not.
challenge() {
  CHALLENGE=$(
    printf '%s\n' "$ANSWER" |
      sed -n "s/^[Ww][Ww][Ww]-[Aa][Uu][Tt][Hh][Ee][Nn][Tt][Ii][Cc][Aa][Tt][Ee]: *$1 */,/p" | sed 1q
  )
  [ "$CHALLENGE" ]
}

# parameter NAME: sets PARAMETER, its value in CHALLENGE. A value that would end a text of curl's configuration is none.
parameter() {
  PARAMETER=$(printf '%s\n' "$CHALLENGE" | sed -n "s/.*[, ]$1=\"\\([^\"\\\\]*\\)\".*/\\1/p")
}

# may_have_login URL: whether a login may be sent there.
may_have_login() {
  case $1 in
  *[!A-Za-z0-9._~:/?\&=%+,-]*) return 1 ;;
  https://*) return ;;
  http://*) ;;
  *) return 1 ;;
  esac
  host=${1#http://}
  host=${host%%[/?]*}
  case $host in
  localhost | localhost:*) return ;;
  *[!0-9.:]*) return 1 ;;
  127.*) return ;;
  esac
  return 1
}

# get_token: sets TOKEN, from the token server of CHALLENGE. Fails without one.
get_token() {
  TOKEN=''
  parameter realm
  realm=$PARAMETER
  may_have_login "$realm" || return
  answer=$(
    {
      printf 'url = "%s"\nget\n' "$realm"
      for name in service scope; do
        parameter "$name"
        [ -z "$PARAMETER" ] || printf 'data-urlencode = "%s=%s"\n' "$name" "$PARAMETER"
      done
      [ -z "$LOGIN" ] || printf 'header = "Authorization: Basic %s"\n' "$LOGIN"
    } | quiet_curl -f | head -c 65536
  )
  for name in token access_token; do
    TOKEN=$(printf '%s\n' "$answer" | sed -n "s/.*\"$name\" *: *\"\\([A-Za-z0-9._~+/=-]*\\)\".*/\\1/p" | sed 1q)
    [ -z "$TOKEN" ] || return 0
  done
  return 1
}

while [ $# -gt 1 ]; do
  head_of "$1" ''
  if [ "$STATUS" = 401 ]; then
    login_for "$2"
    if challenge '[Bb][Ee][Aa][Rr][Ee][Rr]'; then
      if get_token; then
        head_of "$1" "Authorization: Bearer $TOKEN"
      fi
    elif [ "$LOGIN" ] && challenge '[Bb][Aa][Ss][Ii][Cc]'; then
      head_of "$1" "Authorization: Basic $LOGIN"
    fi
  fi
  echo "$STATUS"
  shift 2
done
