"""Machines that are folders of this computer: the scripts about keys run in them, by the real OpenSSL."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.fakes.fake_cluster import FakeCluster
from tests.programs import program

__all__ = ["KeyMachines", "on_paths"]


def on_paths(script: str, folder: Path) -> str:
    """*script* with the files of the machine in *folder*."""
    return script.replace("/etc/fleetcaptain", str(folder))


class KeyMachines:
    """Three machines in *folder*; those in *silent* (addresses) do not answer. *inputs*: what each command was given.
    *arguments*: all arguments of all commands."""

    def __init__(self, folder: Path) -> None:
        program("openssl")
        self.folder = folder
        self.silent: set[str] = set()
        self.inputs: list[str] = []
        self.arguments: list[str] = []
        self.cluster = FakeCluster(run=self._run)

    def machine(self, address: str) -> Path:
        """The files of a machine."""
        return self.folder / address

    def _run(self, address: str, argv: list[str], _timeout_sec: float, text: str = "") -> str | None:
        if address in self.silent:
            return None
        self.inputs.append(text)
        self.arguments += argv
        # Without the words that make it root's.
        script = on_paths(argv[-1], self.machine(address))
        done = subprocess.run(
            ["sh", "-c", script], input=text, capture_output=True, text=True, check=False, timeout=120
        )
        return done.stdout
