"""An ssh whose every machine is this computer, with a docker that records its calls."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetcaptain.fleet import root_command
from fleetcaptain.oneoff import machine_scripts

__all__ = ["PretendedMachine", "pretend"]

# ssh's last argument is the command line for the remote shell. FAIL: the machine does not answer.
_SSH = """#!/bin/sh
for last; do :; done
[ ! -e "$BOX/fail" ] || { echo 'ssh: connect to host m1: No route to host' >&2; exit 255; }
printf '%s\\n' "$*" >>"$BOX/ssh"
echo $$ >>"$BOX/pids"
exec sh -c "$last"
"""
# A container is a file with docker's process in it. It runs the command that follows the image.
_DOCKER = """#!/bin/sh
verb=$1
printf '%s\\n' "$*" >>"$BOX/docker"
case $verb in
run)
  for word; do
    shift
    case $word in
    --name=*) name=${word#--name=} ;;
    image) break ;;
    esac
  done
  trap 'rm -f "$BOX/containers/$name"; kill "$child" 2>/dev/null; exit 143' TERM
  "$@" <&0 & child=$!
  echo $$ >"$BOX/containers/$name"
  wait "$child"; code=$?
  rm -f "$BOX/containers/$name"
  exit "$code"
  ;;
stop | kill | rm)
  for name; do :; done
  [ -e "$BOX/containers/$name" ] || exit 1
  kill "$(cat "$BOX/containers/$name")"
  ;;
esac
"""


@dataclass(frozen=True)
class PretendedMachine:
    """The machine's files are in *box*."""

    box: Path

    def calls(self, verb: str) -> list[str]:
        """The calls of docker with this verb."""
        lines = (self.box / "docker").read_text().splitlines() if (self.box / "docker").exists() else []
        return [line for line in lines if line.split()[0] == verb]

    @property
    def ssh_arguments(self) -> str:
        """All arguments of all processes of ssh."""
        return (self.box / "ssh").read_text()

    @property
    def left(self) -> list[str]:
        """The containers and the folders of one-offs."""
        folders = self.box / "one-offs"
        return [path.name for path in (*self.box.glob("containers/*"), *folders.glob("*"))]


def pretend(folder: Path, patch: pytest.MonkeyPatch) -> PretendedMachine:
    """Make this computer the machine, in *folder*."""
    programs, box = folder / "bin", folder / "box"
    for path in (programs, box / "containers"):
        path.mkdir(parents=True)
    for name, text in (("ssh", _SSH), ("docker", _DOCKER)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    patch.setenv("BOX", str(box))
    patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    patch.setattr(machine_scripts, "_FOLDER", str(box / "one-offs"))
    patch.setattr(root_command, "_ROOT", 'exec "$@"')
    return PretendedMachine(box)
