"""What a run of tests made and did not remove, whoever made it and however that one ended."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from components.cluster.machines import remove_all
from fleetcaptain.errors import FleetCaptainError
from tests.e2e.resources import resources_of

__all__ = ["begin_run", "clear", "note"]

_RUN = "FLEETCAPTAIN_TEST_RUN"
"""The variable that all processes of a run inherit. It names a folder in which the run notes what it makes."""


def begin_run() -> None:
    """From now on what this process starts belongs to one run of tests."""
    os.environ[_RUN] = tempfile.mkdtemp(prefix="fleetcaptain-tests-")


def note(identity: str, *folders: Path) -> None:
    """Say before it is made that a cluster is going to be made, and the *folders* that belong to it."""
    file = Path(os.environ[_RUN]) / identity.replace("/", "-")
    file.write_text("\n".join([identity, *map(str, folders)]))


def clear() -> list[str]:
    """End the run: remove what is left of its clusters, folders and processes. Returns what was left."""
    left = [f"the process {pid} ({command})" for pid, command in _processes()]
    for pid, _ in _processes():
        os.kill(pid, signal.SIGKILL)
    run = Path(os.environ[_RUN])
    for file in sorted(run.iterdir()):
        identity, *folders = file.read_text().splitlines()
        left += [*_remove(identity), *(folder for folder in folders if Path(folder).exists())]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(run)
    return left


def _remove(identity: str) -> list[str]:
    """Remove what Docker has of a cluster; what that was."""
    try:
        found = resources_of(identity)
        if found:
            remove_all(identity)
    except FleetCaptainError as error:
        return [f"the cluster {identity}, which could not be removed: {error}"]
    return found


def _processes() -> Iterator[tuple[int, str]]:
    """The processes of this run but this one."""
    mark = f"{_RUN}={os.environ[_RUN]}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int(path.name) != os.getpid() and mark in (path / "environ").read_bytes().split(b"\0"):
                yield int(path.name), (path / "cmdline").read_text().replace("\0", " ").strip()[:80]
        except OSError:
            continue  # it has ended, or is not ours to look at
