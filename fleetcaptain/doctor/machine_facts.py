"""What a machine says of itself: the script that asks it, and its answer as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from fleetcaptain.untrusted import WORD

__all__ = ["PROBE", "Disk", "MachineFacts", "facts_in"]

_DISKS = {"docker": "/var/lib/docker", "etcd": "/var/lib/etcd", "system": "/"}
_LINE = re.compile(r"fleetcaptain: (\w+)=(.*)")
_DISK = re.compile(r"(\w+) (\S+) ([0-9]{1,15}) ([0-9]{1,3})%?")
_KIB_IN_GIB = 2**20
# Where docker looks for its init after PATH, and where a docker that was installed by hand may be.
_DOCKER_FOLDERS = "/usr/local/libexec/docker:/usr/libexec/docker:/usr/local/lib/docker:/usr/lib/docker:/opt/bin"

# Everything with a limit: a hanging docker or etcd must not hide what else the machine knows.
PROBE = f"""\
say() {{ echo "fleetcaptain: $1=$2"; }}
etcd=http://127.0.0.1:2379
say clock "$(date +%s)"
say etcd_date "$(curl -sI -m 3 $etcd/version | tr -d '\\r' | sed -n 's/^[Dd]ate: //p')"
say etcd "$(curl -s -m 3 $etcd/version | sed -n 's/.*"etcdserver":"\\([0-9A-Za-z.+-]*\\)".*/\\1/p')"
say health "$(curl -s -m 3 $etcd/health | sed -n 's/.*"health": *"\\(true\\|false\\)".*/\\1/p')"
say keys "$(curl -s -m 3 -o /dev/null -w '%{{http_code}}' $etcd/v2/keys/)"
say fleet "$(curl -sI -m 3 --unix-socket /run/fleet.sock http://fleet/fleet/v1/machines | tr -d '\\r' |
  sed -n 's/^[Ss]erver: fleetd.\\([0-9A-Za-z.+-]*\\).*/\\1/p')"
say docker "$(timeout 3 docker version -f '{{{{.Server.Version}}}}' 2>/dev/null)"
init=$(timeout 3 docker info -f '{{{{.InitBinary}}}}' 2>/dev/null)
PATH=$PATH:{_DOCKER_FOLDERS}
[ -z "$init" ] || command -v "$init" >/dev/null || say init missing
disk() {{ say disk "$1 $(df -Pk "$2" 2>/dev/null | awk 'END {{ print $6, $4, $5 }}')"; }}
{"; ".join(f"disk {name} {path}" for name, path in _DISKS.items())}
"""
"""A script for `sh`, for a user who may read fleet's socket. Prints the input of `facts_in`."""


@dataclass(frozen=True)
class Disk:
    """The file system at *path* that *user* (docker, etcd, system) writes to: *free_gib*, and how full it is."""

    user: str
    path: str
    free_gib: float
    used_percent: int


@dataclass(frozen=True)
class MachineFacts:
    """The answer of the machine at *address*; "" and None for what it could not find out.

    *clock_error_sec*: how far its clock, or the clock of its etcd, is from this computer's: positive if it is ahead, 0
    within the time that the question took. *keys_status*: the HTTP status of etcd's v2 API. *lacks_init*: docker does
    not find the program that ``--init`` runs.
    """

    address: str
    clock_error_sec: float = 0
    etcd: str = ""
    is_healthy: bool = False
    keys_status: str = ""
    fleet: str = ""
    docker: str = ""
    disks: tuple[Disk, ...] = ()
    lacks_init: bool = False


def facts_in(address: str, output: str, began: float, ended: float) -> MachineFacts | None:
    """The facts in the *output* of `PROBE`, which ran between *began* and *ended* (seconds since 1970 by this
    computer's clock); None if it says nothing. Other lines, and values of another form, are left out."""
    found = [(match[1], match[2]) for match in map(_LINE.fullmatch, output.splitlines()) if match]
    said = {name: value for name, value in found if WORD.fullmatch(value)}
    if not said.get("clock"):
        return None
    errors = [_error(moment, began, ended) for moment in _moments(said, dict(found).get("etcd_date", ""))]
    return MachineFacts(
        address,
        max(errors, key=abs, default=0),
        said.get("etcd", ""),
        said.get("health") == "true",
        said.get("keys", ""),
        said.get("fleet", ""),
        said.get("docker", ""),
        tuple(_disks(value for name, value in found if name == "disk")),
        said.get("init") == "missing",
    )


def _moments(said: dict[str, str], etcd_date: str) -> Iterator[float]:
    with suppress(ValueError, OverflowError):
        yield float(int(said["clock"]))
    with suppress(ValueError, TypeError, OverflowError):
        yield parsedate_to_datetime(etcd_date).timestamp()


def _error(moment: float, began: float, ended: float) -> float:
    # A clock that says whole seconds may be up to one behind.
    return min(0.0, moment + 1 - began) + max(0.0, moment - ended)


def _disks(values: Iterable[str]) -> Iterator[Disk]:
    for match in filter(None, map(_DISK.fullmatch, values)):
        user, path, free_kib, percent = match.groups()
        yield Disk(user, path, int(free_kib) / _KIB_IN_GIB, int(percent))
