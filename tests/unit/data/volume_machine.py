"""An ssh whose every machine is this computer, with a docker whose volumes are folders."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetcaptain.fleet import root_command

__all__ = ["VolumeMachine", "pretend"]

_SSH = """for last; do :; done
printf '%s\\n' "$*" >>"$BOX/ssh"
[ ! -e "$BOX/fail" ] || { echo 'ssh: connect to host m1: No route to host' >&2; exit 255; }
[ -e "$BOX/lost" ] || exec sh -c "$last"
exec 3<&0
sh -c "$last" <&3 3<&- &
until [ -e "$BOX/lost/now" ]; do sleep 0.01; done
exit 255
"""
# The file `users` names the containers that have the volumes. `exec` runs the command here.
_DOCKER = """printf '%s\\n' "$*" >>"$BOX/docker"
case "$1 $2" in
"volume create") mkdir -p "$BOX/volumes/$3/_data"; echo "$3" ;;
"volume ls") ls "$BOX/volumes" ;;
"volume inspect") [ -e "$BOX/volumes/$5" ] && echo "$BOX/volumes/$5/_data" ;;
"ps "*) cat "$BOX/users" 2>/dev/null || true ;;
"exec "*)
  grep -qxF "$3" "$BOX/users" || { echo "Error response from daemon: No such container: $3" >&2; exit 1; }
  shift 3; exec "$@" ;;
esac
"""


@dataclass(frozen=True)
class VolumeMachine:
    """The machine's files are in *box*."""

    box: Path

    def volume(self, name: str) -> Path:
        """The folder of a volume, which is made if it is missing."""
        folder = self.box / "volumes" / name / "_data"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def in_use(self, *containers: str) -> None:
        """These containers have the volumes."""
        (self.box / "users").write_text("".join(f"{name}\n" for name in containers))

    @property
    def left(self) -> list[str]:
        """What is beside the data of volumes."""
        return [path.name for path in self.box.glob("volumes/*/*") if path.name != "_data"]

    def program(self, name: str, script: str) -> None:
        """The machine's program *name* is this *script* for ``sh``."""
        path = self.box.parent / "programs" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def loses_connection(self, name: str) -> None:
        """The connection ends when the machine runs its program *name*, which begins its work once a client asked
        whether it still runs."""
        (self.box / "lost").mkdir()
        asked = 'for _ in $(seq 200); do [ -e "$BOX/asked" ] || sleep 0.01; done'
        self.program(name, f'touch "$BOX/lost/now"; {asked}; {shutil.which(name)} "$@" && touch "$BOX/{name}"')

    def run(self, _address: str, argv: list[str], _timeout_sec: float, text: str = "", /) -> str | None:
        """Run a command on the machine."""
        if "restoring" in argv:
            (self.box / "asked").touch()
        return subprocess.run(argv, input=text, capture_output=True, text=True, check=False).stdout


def pretend(folder: Path, patch: pytest.MonkeyPatch) -> VolumeMachine:
    """Make this computer the machine, in *folder*."""
    programs, box = folder / "programs", folder / "machine"
    programs.mkdir()
    box.mkdir()
    machine = VolumeMachine(box)
    for name, script in (("ssh", _SSH), ("docker", _DOCKER)):
        machine.program(name, script)
    patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    patch.setenv("BOX", str(box))
    patch.setattr(root_command, "_ROOT", 'exec "$@"')
    return machine
