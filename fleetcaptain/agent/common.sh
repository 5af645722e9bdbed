#!/bin/sh
# The machine agent of one app, on one machine. It needs sh, curl, docker, systemctl and coreutils; secrets need openssl.
#
#   agent run                     the loop of the agent's own unit
#   agent starting UNIT           before a unit's start: removes a container that is left, writes the file of variables
#   agent started UNIT            after it: waits until the service is ready, and registers it
#   agent stopping UNIT [COMMAND] before and after its end: unregisters it, then becomes COMMAND
#   agent task UNIT COMMAND       runs COMMAND, the container of a task, once, and keeps its journal in etcd
#   agent proxy UNIT IMAGE        keeps the proxy of public services running and configured
#   agent proxyless UNIT          ends the proxy if its unit does not run any more
#   agent open FILE FOLDER        writes the secrets of the unit text FILE into FOLDER, for a one-off
#   agent pull IMAGE              pulls it with the app's logins at registries
#   agent health                  answers one request of a load balancer on standard input
#   agent clean                   removes images that are not needed any more; the loop does so once an hour
#
# The folder of this file is named after the app and holds what the agent knows:
#   services/<service>/<unit>     the registration that the unit has in etcd
#   env/<unit>                    the variables of its container and of its own lines
#   docker/config.json            the app's logins at registries
#   secrets/<unit>/               its secrets in clear, while it runs
#   proxy/                        the configuration and sockets of the proxy: see proxy.sh
#   leave/<unit>                  the seconds between its unregistration and its stop
#   alive/<unit>                  its alive check: see note_alive
#   checked/<unit>                when that is due, and how often in a row it failed; .<unit>: since when it runs
#   restarts/<unit>               the slot of its restart, until it is registered again
#   maintained                    the services under maintenance, one a line
#   machines/<id>                 when the heartbeat of that machine was seen to change
set -u
umask 077

FOLDER=${0%/*}
APP=${FOLDER##*/}
UNITS=/run/fleet/units
APPS=/var/lib/fleetcaptain
ETCD=http://127.0.0.1:2379/v2/keys
KEYS=$ETCD/fleetcaptain/$APP
read -r MACHINE </etc/machine-id

# A heartbeat every 4 s. Others look as often: a machine is silent when they have seen no new one for 10 s.
PERIOD_SEC=4
SILENT_SEC=10
# So many in a row without a gap are steady.
STEADY_BEATS=4
# Registrations and heartbeats outlive their machine only where no other agent is left to remove them.
KEY_SEC=900
RENEWED_BELOW_SEC=600
VERIFY_EVERY_SEC=20
SURVEY_EVERY_SEC=60
# After a start of the machine its units come first: they may need images that their texts do not name yet.
FIRST_CLEAN_SEC=180
CLEAN_EVERY_SEC=3600

# curl connects to the machine directly, even if variables of the unit or of the machine name a proxy.
no_proxy='*'
export no_proxy

NEWLINE='
'

say() {
  printf '%s\n' "$*"
}

SAID='' LAST_REASON=''

# say_new REASON: says why something is not as it should be, unless that was the LAST_REASON too.
say_new() {
  [ "$1" = "$LAST_REASON" ] || say "$1"
  LAST_REASON=$1
}

# say_once TOPIC TEXT...: says TEXT unless something was said about TOPIC, which has no spaces, since it was forgotten.
say_once() {
  case "$SAID " in
  *" $1 "*) return 0 ;;
  esac
  SAID="$SAID $1"
  shift
  say "$@"
}

forget() {
  case "$SAID " in
  *" $1 "*)
    SAID="$SAID "
    SAID="${SAID%%" $1 "*} ${SAID#*" $1 "}"
    SAID=${SAID% }
    ;;
  esac
}

# is_active UNIT, is_dead UNIT: by systemd. Neither holds while a unit starts, or while systemd does not answer.
is_active() {
  case $(timeout 5 systemctl is-active -- "$1") in
  active | reloading | refreshing) ;;
  *) return 1 ;;
  esac
}

is_dead() {
  state=$(timeout 5 systemctl is-active -- "$1")
  is_dead_state "$state"
}

is_dead_state() {
  case $1 in
  inactive | failed | deactivating | unknown) ;;
  *) return 1 ;;
  esac
}

# Sets NOW: seconds since the machine started. The machine's clock may be wrong, or jump.
clock() {
  read -r NOW _ </proc/uptime
  NOW=${NOW%.*}
}
