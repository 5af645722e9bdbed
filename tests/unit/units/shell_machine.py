"""A pretended machine for the shell lines: stub commands on PATH, a folder of files, and an etcd."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from fleetcaptain.units.machine_paths import MachinePaths
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.systemd import command

__all__ = ["ADDRESS", "MACHINE_ID", "RUN", "UNIT", "PretendedMachine", "made_by_app"]

UNIT = "app_server@1.service"
ADDRESS = "127.0.0.1"
MACHINE_ID = "machine-a"
RUN = "0123456789abcdef"
SPECIFIERS = {"n": UNIT, "p": "app_server", "i": "1", "m": MACHINE_ID}


def made_by_app(lease: str = "app", machine: str = MACHINE_ID, run: str = RUN, **more: Any) -> str:
    """A registration as an app writes it: machine, lease and run first."""
    members = {"machine": machine, "lease": lease, "run": run, "service": "app_server", **more}
    return json.dumps(members, separators=(",", ":"))


class PretendedMachine:
    """Runs what systemd would run. *sleep* on it takes no time; *docker* and *systemctl* do what a test says."""

    def __init__(self, folder: Path, etcd: FakeEtcd) -> None:
        self.folder = folder
        self.etcd = etcd
        self.place = MachinePaths(run=f"{folder}/run", units=f"{folder}/units", etcd=f"{etcd.url}/v2/keys")
        for name in ("run", "units", "bin"):
            (folder / name).mkdir()
        self.stub("sleep", "exit 0")

    def stub(self, name: str, script: str) -> None:
        """Put a command of that *name*, an ``sh`` script, first on PATH."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, value: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the ``Exec...=`` *value* with systemd's specifiers for `UNIT`."""
        argv = [word.replace("/usr/bin/docker", "docker") for word in command(value, SPECIFIERS)]
        known = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "COREOS_PRIVATE_IPV4": ADDRESS,
            "MAINPID": str(os.getpid()),
            "INVOCATION_ID": RUN,
        }
        return subprocess.run(argv, env={**known, **env}, capture_output=True, text=True, check=False, timeout=30)
