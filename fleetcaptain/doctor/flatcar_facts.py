"""What a machine on AWS says of its Flatcar and its EC2: the script that asks it, and its answer as values. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleetcaptain.untrusted import WORD

__all__ = ["FLATCAR_PROBE", "FlatcarFacts", "flatcar_facts_in"]

_LINE = re.compile(r"fleetcaptain: (\w+)=(.*)")

# Everything with a limit, and nothing that changes the machine. The metadata service answers version 1 without a token.
# A masked timer is a link to a device, and no file.
FLATCAR_PROBE = """\
say() { echo "fleetcaptain: $1=$2"; }
imds=http://169.254.169.254/latest
status() { curl -s -m 3 -o /dev/null -w '%{http_code}' "$@"; }
say os "$(. /etc/os-release; echo "$ID $VERSION_ID")"
say systemd "$(systemctl --version | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p')"
say socat "$(socat -V 2>/dev/null | sed -n 's/^socat version \\([0-9.]*\\).*/\\1/p')"
say socat_tls "$(socat -V 2>/dev/null | sed -n 's/^ *#define WITH_OPENSSL 1$/yes/p')"
say jq "$(jq --version 2>/dev/null)"
say sigv4 "$(curl --help all 2>/dev/null | sed -n 's/.*--\\(aws-sigv4\\).*/\\1/p')"
say docker "$(timeout 3 docker version -f '{{.Server.Version}}' 2>/dev/null)"
token=$(curl -sf -m 3 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $imds/api/token)
say imds_v2 "$(status -H "X-aws-ec2-metadata-token: $token" $imds/meta-data/instance-id)"
say imds_v1 "$(status $imds/meta-data/instance-id)"
say update_server "$(sed -n 's/^SERVER=//p' /etc/flatcar/update.conf 2>/dev/null)"
say reboots "$(sed -n 's/^REBOOT_STRATEGY=//p' /etc/flatcar/update.conf 2>/dev/null)"
say clock_synchronized "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)"
[ ! -e /etc/systemd/system/etcd-volume.service ] || say volume "$(findmnt -no SOURCE,FSTYPE /var/lib/etcd || echo none)"
for file in /etc/systemd/system/*.timer; do
  [ ! -f "$file" ] || say timer "${file##*/} $(systemctl is-active "${file##*/}")"
done
for unit in $(systemctl list-units --state=failed --plain --no-legend --full | cut -d ' ' -f 1); do
  say failed "$unit"
done
for file in $(grep -ls /dev/tcp /run/fleet/units/* 2>/dev/null); do say dev_tcp "${file##*/}"; done
say end yes
"""
"""A script for `sh`, for a user who may use docker. Prints the input of `flatcar_facts_in`."""


@dataclass(frozen=True)
class FlatcarFacts:
    """The answer of a machine; "" for what it could not find out.

    *os*: id and version of the distribution. *socat_tls*: ``yes`` if socat speaks TLS. *sigv4*: ``aws-sigv4`` if curl
    signs requests. *imds_v2* and *imds_v1*: the metadata service's HTTP statuses. *update_server*, *reboots*: of
    Flatcar's updater. *clock_synchronized*: ``yes`` or ``no``. *volume*: device and file system of etcd's data,
    ``none`` if it is not mounted, "" on a machine that has no such volume. *timers*: its own timers -> their state.
    *failed*: units. *dev_tcp*: fleet's units that need a shell with network redirections.
    """

    os: str = ""
    systemd: str = ""
    socat: str = ""
    socat_tls: str = ""
    jq: str = ""
    sigv4: str = ""
    docker: str = ""
    imds_v2: str = ""
    imds_v1: str = ""
    update_server: str = ""
    reboots: str = ""
    clock_synchronized: str = ""
    volume: str = ""
    timers: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()
    dev_tcp: tuple[str, ...] = ()


_SINGLE = tuple(name for name in FlatcarFacts.__dataclass_fields__ if name not in ("timers", "failed", "dev_tcp"))


def flatcar_facts_in(output: str) -> FlatcarFacts | None:
    """The facts in the *output* of `FLATCAR_PROBE`; None if it did not reach its end. Other lines, and values of
    another form, are left out."""
    found = [(match[1], match[2]) for match in map(_LINE.fullmatch, output.splitlines()) if match]
    valid = [(name, value) for name, value in found if WORD.fullmatch(value)]
    if ("end", "yes") not in valid:
        return None
    by_name = dict(valid)
    timers = [value.partition(" ") for name, value in valid if name == "timer"]
    return FlatcarFacts(
        **{name: by_name.get(name, "") for name in _SINGLE},
        timers=tuple((name, state) for name, _, state in timers),
        failed=tuple(value for name, value in valid if name == "failed"),
        dev_tcp=tuple(value for name, value in valid if name == "dev_tcp"),
    )
