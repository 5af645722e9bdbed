# Images. Those that a release of this app named, and that no kept release names and no container uses, are removed. The
# key _images says which they are: "keep REFERENCE", "own REPOSITORY" (of which all others are removed) and
# "drop REFERENCE", one a line, then "end".

CLEANER=''
CLEANED=''
CLEAN_AT=0

# clean_when_due: starts clean in the background when the key has changed or an hour has passed. Never two at a time.
clean_when_due() {
  if [ "$CLEANER" ]; then
    ! kill -0 "$CLEANER" 2>/dev/null || return 0
    # After a failure it is due again.
    wait "$CLEANER" || CLEANED=''
    CLEANER=''
  fi
  kept_images || return 0
  if [ "$KEPT_INDEX" = "$CLEANED" ] && [ "$NOW" -lt "$CLEAN_AT" ]; then
    return 0
  fi
  CLEANED=$KEPT_INDEX
  CLEAN_AT=$((NOW + CLEAN_EVERY_SEC))
  clean &
  CLEANER=$!
}

# kept_images: sets KEPT, the lines of the key, with "\n" as in etcd's JSON instead of line ends, and KEPT_INDEX.
kept_images() {
  ask 5 "$KEYS/_images"
  [ "$STATUS" = 200 ] || return
  field modifiedIndex
  KEPT_INDEX=$FIELD
  KEPT=${ANSWER#*'"value":"'}
  KEPT='\n'${KEPT%%'"'*}
  # Part of the lines would have too much removed.
  case $KEPT in
  *'\nend\n') ;;
  *) return 1 ;;
  esac
}

# clean: removes the images. docker removes none by its reference that a container uses; this looks first, because it
# removes one of several references of such an image.
clean() {
  kept_images || return
  index=$KEPT_INDEX
  format='{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}}'
  if ! images=$(timeout 60 docker images --digests --no-trunc --format "$format" 2>&1); then
    say "removing no image, because docker could not list them: ${images%%"$NEWLINE"*}"
    return 1
  fi
  if ! containers=$(timeout 60 docker ps --all --quiet --no-trunc 2>&1); then
    say "removing no image, because docker could not list the containers: ${containers%%"$NEWLINE"*}"
    return 1
  fi
  used=''
  for container in $containers; do
    # One that is gone by now uses none.
    used="$used $(timeout 60 docker inspect --type container -f '{{.Image}} {{.Config.Image}}' "$container" 2>/dev/null)"
  done
  needed_by_others || return
  used="$used $(cat "$UNITS"/* 2>/dev/null)"
  printf '%s\n' "$images" | while read -r id repository tag digest; do
    # A tag is a person's: no release is pulled by one.
    [ "$tag" = '<none>' ] || continue
    case $repository@$digest in
    *[!a-z0-9/:._@-]* | *@ | *@*@*) continue ;;
    esac
    case $KEPT in
    *"\\nkeep $repository@$digest\\n"*) continue ;;
    *"\\nown $repository\\n"* | *"\\ndrop $repository@$digest\\n"*) ;;
    *) continue ;;
    esac
    case $used$OTHERS in
    *"$id"* | *"$digest"*) continue ;;
    esac
    # A deployment that began meanwhile may need it.
    kept_images && [ "$KEPT_INDEX" = "$index" ] || exit
    if output=$(timeout 300 docker rmi "$repository@$digest" 2>&1); then
      say "removed the image $repository@$digest: no kept release of $APP names it and no container uses it"
    else
      say "Could not remove the image $repository@$digest: ${output%%"$NEWLINE"*}"
    fi
  done
}

# needed_by_others: sets OTHERS, the releases of all other apps of this machine. Each app has an agent on each machine.
needed_by_others() {
  OTHERS=''
  for folder in "${FOLDER%/*}"/* "$APPS"/*; do
    other=${folder##*/}
    [ -d "$folder" ] && [ "$other" != "$APP" ] || continue
    ask 10 "${KEYS%/*}/$other/releases?recursive=true"
    case $STATUS in
    200) OTHERS="$OTHERS $ANSWER" ;;
    404) ;;
    *)
      say "removing no image: etcd answered $STATUS for the releases of $other"
      return 1
      ;;
    esac
  done
}
