# What a unit says of itself in its [X-FleetCaptain] section.

# describe UNIT: sets SECTION, its Key=value lines, IMAGE_LINE, CONTAINER and what all commands need to know. Fails when
# fleet has no such unit here.
describe() {
  UNIT=$1
  [ -f "$UNITS/$UNIT" ] || {
    say "Could not read $UNITS/$UNIT: fleet has no such unit on this machine"
    return 1
  }
  SECTION=$(section "$UNITS/$UNIT")
  IMAGE_LINE=$(setting IMAGE "$(service_environment "$UNITS/$UNIT")")
  SERVICE=$(setting Service)
  PORTS=$(setting Ports)
  prefix=${UNIT%.*}
  instance=''
  case $prefix in
  *@*) instance=${prefix#*@} prefix=${prefix%%@*} ;;
  esac
  CONTAINER=fc.$APP.$prefix.$instance
}

# section FILE: the lines of its [X-FleetCaptain] section. A backslash and the line end after it are one blank.
section() {
  logical_lines "$1" | {
    inside=no
    while IFS= read -r line; do
      case $line in
      '[X-FleetCaptain]') inside=yes ;;
      '['*) inside=no ;;
      *) [ "$inside" = no ] || say "$line" ;;
      esac
    done
  }
}

# service_environment FILE: the values of its Environment= lines.
service_environment() {
  logical_lines "$1" | while IFS= read -r line; do
    case $line in
    Environment=*) say "${line#*=}" ;;
    esac
  done
}

logical_lines() {
  before=''
  while IFS= read -r line || [ "$line" ]; do
    case $line in
    *\\)
      before="$before${line%\\} "
      continue
      ;;
    esac
    say "$before$line"
    before=''
  done <"$1"
}

# setting KEY [LINES]: the values of KEY in LINES, else in SECTION, one a line.
setting() {
  printf '%s\n' "${2-$SECTION}" | while IFS= read -r line; do
    case $line in
    "$1="*) say "${line#*=}" ;;
    esac
  done
}

# expanded TEXT: what systemd would make of TEXT in a line of the unit: its specifiers, and variables in braces. "%{"
# and "%." are the agent's own: a brace, and nothing, which comes after a last backslash.
expanded() (
  rest=$1 text=''
  while :; do
    case $rest in
    *[%$]*) ;;
    *) break ;;
    esac
    plain=${rest%%[%$]*}
    text=$text$plain
    rest=${rest#"$plain"}
    case $rest in
    '%n'*) text=$text$UNIT rest=${rest#??} ;;
    '%N'*) text=$text${UNIT%.*} rest=${rest#??} ;;
    '%p'*) text=$text$prefix rest=${rest#??} ;;
    '%P'*) text=$text$(say "$prefix" | tr - /) rest=${rest#??} ;;
    '%b'*) text=$text$(tr -d '\n-' </proc/sys/kernel/random/boot_id) rest=${rest#??} ;;
    '%'[iI]*) text=$text$instance rest=${rest#??} ;;
    '%m'*) text=$text$MACHINE rest=${rest#??} ;;
    '%H'*) text=$text$(uname -n) rest=${rest#??} ;;
    '%%'*) text=$text% rest=${rest#??} ;;
    '%{'*) text="${text}{" rest=${rest#??} ;;
    '%.'*) rest=${rest#??} ;;
    '$$'*) text=$text$ rest=${rest#??} ;;
    "\${"*'}'*)
      name=${rest#??}
      name=${name%%'}'*}
      text=$text$(printenv "$name")
      rest=${rest#*'}'}
      ;;
    *) text=$text${rest%"${rest#?}"} rest=${rest#?} ;;
    esac
  done
  printf '%s' "$text$rest"
)
