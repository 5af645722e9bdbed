# Secrets. etcd and the disk have each value encrypted, with a key that only machines of the cluster have: CMS with
# AES-256-GCM, which refuses what was changed. In clear they are below the folder of the app in /run while the unit runs.

SECRETS_KEY=/etc/fleetcaptain/secrets.key

# open FILE FOLDER: writes the secrets that the unit text in FILE names into FOLDER, for a one-off.
open() {
  UNIT='the one-off'
  SECTION=$(section "$1")
  open_secrets "$2" >&2 || exit
}

# open_secrets FOLDER: writes the variables and files of the described unit that are secrets into FOLDER.
open_secrets() {
  digests=$(setting SecretDigest)
  [ "$digests" ] || return 0
  OPENED=$1
  rm -rf "$OPENED" && mkdir -p "$OPENED/values" || return
  while read -r name digest; do
    open_secret "$name" "$digest" || {
      rm -rf "$OPENED"
      return 1
    }
  done <<EOF
$digests
EOF
  for name in $(setting Secrets); do
    printf '%s="' "$name"
    LC_ALL=C sed 's/[\\"`$]/\\&/g' "$OPENED/values/$name" || return
    printf '"\n'
  done >"$OPENED/env" || return
  number=0
  setting SecretFile | while read -r name mode owner _ encoding; do
    number=$((number + 1))
    file=$OPENED/file-$number
    decode='cat'
    [ "$encoding" != base64 ] || decode='base64 -d'
    if ! { $decode <"$OPENED/values/$name" >"$file" && chown "$owner" "$file" && chmod "$mode" "$file"; }; then
      say "Could not write the secret $name of $UNIT as a file: is it in base64, as the Fleetfile says?"
      exit 1
    fi
  done || return
  rm -rf "$OPENED/values"
}

# open_secret NAME DIGEST: decrypts the value, from this machine's copy or else from etcd. Its first line says which
# secret of which app it is, so that no other value of etcd can take its place.
open_secret() {
  copy=$APPS/$APP/secrets/$2
  what="Could not open the secret $1 of $UNIT"
  if ! [ -s "$copy" ] || ! decrypt "$copy" "$OPENED/values/.opened"; then
    mkdir -p "$APPS/$APP/secrets" && fetch_secret "$2" "$copy" || return
    if ! decrypt "$copy" "$OPENED/values/.opened"; then
      if [ -r "$SECRETS_KEY" ]; then
        say "$what: it is encrypted for another key than this machine has; run \`captain secrets check\`"
      else
        say "$what: this machine has no $SECRETS_KEY; run \`captain secrets check\`"
      fi
      return 1
    fi
  fi
  first=''
  read -r first <"$OPENED/values/.opened"
  if [ "$first" != "fleetcaptain $APP $1 $2" ]; then
    rm -f "$copy"
    say "$what: etcd has another secret in its place; remove the key /fleetcaptain/$APP/_secrets/$2, then run \`pulumi up\`"
    return 1
  fi
  tail -n +2 "$OPENED/values/.opened" >"$OPENED/values/$1"
}

# decrypt FILE INTO: with the machine's key, or one that it replaced.
decrypt() {
  for private in "$SECRETS_KEY" "$SECRETS_KEY".*.old; do
    [ -f "$private" ] || continue
    ! openssl cms -decrypt -binary -inform DER -in "$1" -inkey "$private" >"$2" 2>/dev/null || return 0
  done
  return 1
}

# fetch_secret DIGEST FILE: writes the encrypted value that etcd has; waits half a minute for etcd. Other units may fetch
# the same at the same time.
fetch_secret() {
  clock
  begun=$NOW
  while
    ask 5 "$KEYS/_secrets/$1"
    clock
    unanswered && [ $((NOW - begun)) -lt 30 ]
  do
    sleep 1
  done
  case $STATUS in
  200)
    keep_value "$2" || {
      say "$what: etcd has no secret there; remove the key /fleetcaptain/$APP/_secrets/$1, then run \`pulumi up\`"
      return 1
    }
    ;;
  404)
    say "$what: etcd does not have it any more; run \`pulumi up\`"
    return 1
    ;;
  *)
    say "$what: etcd answered $STATUS, and this machine has no copy"
    return 1
    ;;
  esac
}

# keep_value FILE: writes the value of the node in ANSWER, which is in base64, to FILE at once. Fails for another value.
keep_value() {
  value=${ANSWER#*'"value":"'}
  if ! printf '%s' "${value%%'"'*}" | base64 -d >"$1.$$" 2>/dev/null; then
    rm -f "$1.$$"
    return 1
  fi
  mv "$1.$$" "$1"
}

# close_secrets UNIT: removes them in clear.
close_secrets() {
  rm -rf "${FOLDER:?}/secrets/$1"
}

# close_unused_secrets: those of units that fleet has removed and that could not do so themselves. While fleet has a unit,
# it may start at any time.
close_unused_secrets() {
  for folder in "$FOLDER"/secrets/*; do
    unit=${folder##*/}
    [ -d "$folder" ] && [ ! -f "$UNITS/$unit" ] || continue
    if is_dead "$unit" && [ "$state" != deactivating ]; then
      close_secrets "$unit"
    fi
  done
}

# forget_secrets: removes the encrypted copies that no unit of this machine names. Those with a dot are being written.
forget_secrets() {
  texts=$(cat "$UNITS"/* 2>/dev/null)
  for copy in "$APPS/$APP/secrets"/*; do
    case $copy in
    *.*) continue ;;
    esac
    [ -f "$copy" ] || continue
    case $texts in
    *SecretDigest=*" ${copy##*/}"*) ;;
    *) rm -f "$copy" ;;
    esac
  done
}
