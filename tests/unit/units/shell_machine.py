"""A pretended machine for the agent's program: stub commands on PATH, folders of files, and an etcd."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fleetcaptain.agent.program import agent_program
from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.machine.secrets_key import SECRETS_KEY
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from tests.programs import program

__all__ = [
    "ADDRESS",
    "APP",
    "IMAGE",
    "MACHINE_ID",
    "RUN",
    "SHELLS",
    "UNIT",
    "PretendedMachine",
    "made_by_app",
    "program_on",
    "registration",
]

APP = "behavioral"
UNIT = "app_server@1.service"
ADDRESS = "127.0.0.1"
MACHINE_ID = "machine-a"
RUN = "0123456789abcdef"
IMAGE = "acme/shop@sha256:1"
# `sh` of machines is one of these. busybox would run its own programs in place of the stubs.
SHELLS = tuple(name for name in ("dash", "bash") if shutil.which(name)) or ("sh",)


def made_by_app(lease: str = "app", machine: str = MACHINE_ID, run: str = RUN, **more: Any) -> str:
    """A registration as an app writes it: machine, lease and run first."""
    return registration({"machine": machine, "lease": lease, "run": run, "service": "app_server", **more})


def registration(members: Mapping[str, Any]) -> str:
    """*members* as units and apps write them."""
    return json.dumps(members, separators=(",", ":"))


def program_on(folder: Path, url: str) -> str:
    """The program for a pretended machine in *folder*, with the etcd at *url*."""
    text = agent_program()
    places = {
        "UNITS=/run/fleet/units": f"UNITS={folder}/units",
        "APPS=/var/lib/fleetcaptain": f"APPS={folder}/apps",
        "ETCD=http://127.0.0.1:2379/v2/keys": f"ETCD={url}/v2/keys",
        "</etc/machine-id": f"<{folder}/machine-id",
        "FLEET_SOCKET=/run/fleet.sock": f"FLEET_SOCKET={folder}/fleet.sock",
        f"SECRETS_KEY={SECRETS_KEY}": f"SECRETS_KEY={folder}/secrets.key",
    }
    for real, pretended in places.items():
        assert text.count(f"{real}\n") == 1
        text = text.replace(real, pretended)
    return text


class PretendedMachine:
    """Runs the program as systemd would, by the shell *shell*, with the etcd at *url*. *sleep* takes no time there;
    docker and systemctl do what a test says."""

    def __init__(self, folder: Path, url: str, shell: str = SHELLS[0], app: str = APP) -> None:
        self.folder, self.url, self.app = folder, url, app
        self.home, self.units, self._bin = folder / app, folder / "units", folder / "bin"
        for path in (self.home, self.units, self._bin):
            path.mkdir()
        (self._bin / "sh").symlink_to(program(shell))
        (folder / "machine-id").write_text(f"{MACHINE_ID}\n")
        (self.home / "agent").write_text(program_on(folder, url))
        self.stub("sleep", "exit 0")
        self.stub("docker", "exit 1")
        self.states({})

    @property
    def program_hash(self) -> str:
        """The SHA-256 of the program here."""
        return hashlib.sha256((self.home / "agent").read_bytes()).hexdigest()

    def stub(self, name: str, script: str) -> None:
        """Put a command of that *name*, an ``sh`` script, first on PATH."""
        path = self._bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def curl(self, script: str) -> None:
        """Run this ``sh`` *script* before each call of curl."""
        self.stub("curl", f'{script}\nexec {program("curl")} "$@"')

    def states(self, by_unit: Mapping[str, str]) -> None:
        """What ``systemctl is-active`` says of units; the others are inactive."""
        cases = "".join(f"'{unit}') echo {state} ;; " for unit, state in by_unit.items())
        wrong = 'test "$1 $2" = "is-active --" || { echo "stub: $*" >&2; exit 9; }'
        self.stub("systemctl", f"{wrong}; shift 2; for unit; do case $unit in {cases}*) echo inactive ;; esac; done")

    def load(self, spec: ServiceSpec, unit: str = UNIT) -> str:
        """fleet loads *unit* of *spec*; the text of its file."""
        return self.write(render(spec, Mark(self.app, "behavioral/dev", spec.name)).with_image(IMAGE).text, unit)

    def write(self, text: str, unit: str = UNIT) -> str:
        """fleet loads a *unit* with this *text*, which it returns."""
        (self.units / unit).write_text(text)
        return text

    def agent(self, *arguments: str, without: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run the program. *env*: further variables; *without*: one of the usual ones, to leave out."""
        usual = {
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "COREOS_PRIVATE_IPV4": ADDRESS,
            "MAINPID": str(os.getpid()),
            "INVOCATION_ID": RUN,
            "IMAGE": IMAGE,
        }
        usual.pop(without, None)
        argv = [str(self._bin / "sh"), str(self.home / "agent"), *arguments]
        return subprocess.run(argv, env={**usual, **env}, capture_output=True, text=True, check=False, timeout=120)

    def own_clock(self) -> Path:
        """Read the seconds since the machine started from this file from now on, which says 100."""
        uptime, text = self.folder / "uptime", self.home / "agent"
        uptime.write_text("100.00 1\n")
        text.write_text(text.read_text().replace("/proc/uptime", str(uptime)))
        return uptime

    def loop(self, rounds: int = 1, between: str = "") -> subprocess.CompletedProcess[str]:
        """Run the loop for so many *rounds*. *between*: a shell script after each, with the number of rounds in $n. Its
        shorter pauses take no time."""
        count = self.folder / "rounds"
        count.unlink(missing_ok=True)
        ended = f"[ $n -lt {rounds} ] || kill $PPID"
        self.stub("sleep", f"[ $1 = 4 ] || exit 0; echo >>{count}; n=$(wc -l <{count}); {between or ':'}; {ended}")
        done = self.agent("run")
        self.stub("sleep", "exit 0")
        assert done.returncode == 0, done.stderr
        return done

    def file(self, service: str = "app_server", unit: str = UNIT) -> Path:
        """The file of a registration."""
        return self.home / "services" / service / unit

    def key(self, service: str = "app_server", unit: str = UNIT) -> str:
        """The key of a registration."""
        return f"/fleetcaptain/{self.app}/services/{service}/{unit}"

    def variables(self, unit: str = UNIT) -> dict[str, str]:
        """The variables that the agent wrote for *unit*."""
        return dict(line.split("=", 1) for line in (self.home / "env" / unit).read_text().splitlines())
