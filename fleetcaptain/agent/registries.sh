# Logins at registries. The key _registries has docker's configuration with them, encrypted as a secret is. In clear it is
# in the folder of the app in /run, where docker and the checks of images read it.

LOGINS_INDEX=''

# refresh_logins: writes the logins that etcd has now. Without an answer, and when they cannot be opened, they stay as they
# are. Several processes may do so at once, so each works in a folder of its own.
refresh_logins() {
  kept=$APPS/$APP/registries config=$FOLDER/docker/config.json work=$FOLDER/docker.$$
  ask 5 "$KEYS/_registries"
  case $STATUS in
  200)
    field modifiedIndex
    if [ "$FIELD" = "$LOGINS_INDEX" ] && [ -f "$config" ]; then
      return 0
    fi
    mkdir -p "${kept%/*}"
    keep_value "$kept"
    LOGINS_INDEX=$FIELD
    ;;
  404) rm -rf "$FOLDER/docker" "$kept" ;;
  esac
  [ -s "$kept" ] || return 0
  mkdir -p "$FOLDER/docker" "$work"
  first=''
  if decrypt "$kept" "$work/opened"; then
    read -r first <"$work/opened"
  else
    say "Could not open the logins at registries: they are encrypted for another key; run \`captain secrets check\`"
  fi
  if [ "$first" = "fleetcaptain $APP registries" ]; then
    tail -n +2 "$work/opened" >"$work/config" && mv "$work/config" "$config"
  fi
  rm -rf "$work"
}

# pull IMAGE: pulls it with the app's login at its registry, if there is one, else as docker on this machine does.
pull() {
  refresh_logins
  registry=${1%%/*}
  case $registry in
  "$1" | docker.io | index.docker.io) registry=https://index.docker.io/v1/ ;;
  *[.:]* | localhost) ;;
  *) registry=https://index.docker.io/v1/ ;;
  esac
  case $(cat "$FOLDER/docker/config.json" 2>/dev/null) in
  *"\"$registry\":{"*) docker --config "$FOLDER/docker" pull "$1" 2>&1 ;;
  *) docker pull "$1" 2>&1 ;;
  esac
}

# pull_if_missing: the image of the described unit, where a login may be needed. Else docker's run line pulls it.
pull_if_missing() {
  [ "$IMAGE_LINE" ] && [ -s "$APPS/$APP/registries" ] || return 0
  docker image inspect "$IMAGE" >/dev/null 2>&1 || pull "$IMAGE"
}
