"""The shell commands that read and write volumes on a machine, in POSIX ``sh``, as root. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleetcaptain.fleet.root_command import as_root

__all__ = [
    "VolumeUse",
    "in_container_argv",
    "listing_argv",
    "parse_listing",
    "read_argv",
    "restoring_argv",
    "write_argv",
]

_LIST = """for volume; do
  dir=$(docker volume inspect -f '{{.Mountpoint}}' "$volume" 2>/dev/null) || continue
  size=$(du -sk "$dir" | cut -f1)
  echo "$volume $size $(docker ps -q --filter "volume=$volume" | wc -l)"
done
"""
_NAMES_END = "fleetcaptain: these are all"
_NAMES = f'docker volume ls --quiet && echo "{_NAMES_END}"'
_READ = """dir=$(docker volume inspect -f '{{.Mountpoint}}' "$1") || exit 1
exec tar -C "$dir" --numeric-owner -cf - .
"""
# A backup is unpacked beside the data, and takes its place only when it arrived whole. Data that an interrupted
# exchange has moved aside comes back first. The lock tells others that a restore still runs.
_WRITE = """set -u
umask 077
volume=$1 size=$2
unused() {
  users=$(docker ps --format '{{.Names}}' --filter "volume=$volume") || return 1
  [ -z "$users" ] || { echo "$volume is in use by" $users >&2; return 1; }
}
docker volume create "$volume" >/dev/null || exit 1
dir=$(docker volume inspect -f '{{.Mountpoint}}' "$volume") || exit 1
exec 9<"${dir%/*}"
flock -n 9 || { echo "another restore of $volume runs" >&2; exit 1; }
unused || exit 1
[ -e "$dir" ] || mv "$dir.before" "$dir" || exit 1
rm -rf "$dir.before"
work=$(mktemp -d "${dir%/*}/restore.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
head -c "$size" >"$work/tar"
[ "$(wc -c <"$work/tar")" -eq "$size" ] || { echo 'the backup did not arrive whole' >&2; exit 1; }
mkdir "$work/data" && chmod --reference="$dir" "$work/data" && chown --reference="$dir" "$work/data" || exit 1
tar -C "$work/data" --numeric-owner -xpf "$work/tar" || exit 1
unused || exit 1
mv "$dir" "$dir.before" || exit 1
mv "$work/data" "$dir" || { mv "$dir.before" "$dir"; exit 1; }
rm -rf "$dir.before"
"""
_ENDED = """dir=$(docker volume inspect -f '{{.Mountpoint}}' "$1" 2>/dev/null) || exit 0
flock -n "${dir%/*}" true || echo running
"""
_ROW = re.compile(r"(?P<volume>\S+) (?P<size>[0-9]{1,18}) (?P<containers>[0-9]{1,6})")


@dataclass(frozen=True)
class VolumeUse:
    """A volume on a machine: its size in KiB, and by how many containers it is in use."""

    size_kib: int
    containers: int


def listing_argv(volumes: Sequence[str]) -> list[str]:
    """The command that prints the size and the use of those of *volumes* that the machine has."""
    return as_root(["sh", "-c", _LIST, "volumes", *volumes])


def parse_listing(output: str) -> dict[str, VolumeUse]:
    """Volume -> its use, of what `listing_argv` prints; lines of another form are left out."""
    rows = filter(None, map(_ROW.fullmatch, output.splitlines()))
    return {row["volume"]: VolumeUse(int(row["size"]), int(row["containers"])) for row in rows}


def names_argv() -> list[str]:
    """The command that prints the names of all volumes."""
    return as_root(["sh", "-c", _NAMES])


def parse_names(output: str) -> frozenset[str] | None:
    """The names of the volumes that `names_argv` prints; None if docker failed."""
    lines = output.splitlines()
    return frozenset(lines[:-1]) if lines[-1:] == [_NAMES_END] else None


def read_argv(volume: str) -> list[str]:
    """The command that writes the files of *volume* as a tar."""
    return as_root(["sh", "-c", _READ, "read", volume])


def write_argv(volume: str, size: int) -> list[str]:
    """The command that reads a tar of *size* bytes and puts its files in the place of those of *volume*, which no
    container may use. Without all of the tar nothing changes."""
    return as_root(["sh", "-c", _WRITE, "write", volume, str(size)])


def restoring_argv(volume: str) -> list[str]:
    """The command that prints a line while a restore of *volume* still runs on the machine."""
    return as_root(["sh", "-c", _ENDED, "restoring", volume])


def in_container_argv(container: str, command: Sequence[str]) -> list[str]:
    """The command that runs *command* in the running *container*, with its streams."""
    return as_root(["docker", "exec", "--interactive", container, *command])
