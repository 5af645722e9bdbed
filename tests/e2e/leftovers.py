"""What a run of tests made and did not remove, whichever process made it and however that process ended."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.fleet.owning_checkout import ID_FILE
from fleetcaptain.fleet.private_folder import private_folder
from fleetcaptain.localcluster.docker_client import LABEL, docker_errors, engine
from fleetcaptain.localcluster.machines import remove_all

__all__ = ["begin_run", "clear", "give_identity", "identity_of", "note", "other_run", "resources_of"]

_RUN = "FLEETCAPTAIN_TEST_RUN"
"""The variable that all processes of a run inherit. It names a folder in which the run notes what it makes."""
# A process whose parent was killed may need a moment to end by itself.
_GRACE_SEC, _PAUSE_SEC = 5.0, 0.1


def begin_run() -> None:
    """From now on, what this process starts belongs to one run of tests."""
    os.environ[_RUN] = tempfile.mkdtemp(prefix=f"fleetcaptain-tests-{os.getpid()}-")


def identity_of(stack: str, checkout: Path) -> str:
    """The identity of the cluster of a *stack* of the tests in *checkout*. Unlike a user's it is not random, so that a
    run finds what an earlier one left."""
    return f"fleetcaptain/{stack}/{hashlib.sha256(str(checkout).encode()).hexdigest()[:6]}"


def give_identity(stack: str, checkout: Path) -> None:
    """Have the stack's next cluster take the identity `identity_of`, unless there is one already."""
    file = private_folder(checkout / ".fleetcaptain" / stack) / ID_FILE
    if not file.exists():
        file.write_text(identity_of(stack, checkout))


def note(identity: str, *paths: Path) -> None:
    """Note, before it is made, a cluster, and the *paths* that belong to it."""
    file = Path(os.environ[_RUN]) / identity.replace("/", "-")
    file.write_text("\n".join([identity, *map(str, paths)]))


def other_run(checkout: Path) -> int:
    """Claim *checkout* for the clusters of this run. Returns the process id of another run that has claimed it and
    still runs, or 0: the names of clusters are those of the workers, which are the same in each run."""
    claim = checkout / ".fleetcaptain" / "tests"
    claim.parent.mkdir(exist_ok=True)
    claimed = Path(claim.read_text()) if claim.exists() else None
    if claimed is not None and claimed != Path(os.environ[_RUN]) and claimed.is_dir():
        process = int(claimed.name.split("-")[2])
        if Path(f"/proc/{process}").exists():
            return process
    claim.write_text(os.environ[_RUN])
    return 0


def clear() -> list[str]:
    """End the run: remove what is left of its clusters, files and processes. Returns what was left."""
    left = []
    for process, command in _lingering():
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            left.append(f"the process {process} ({command})")
    run = Path(os.environ[_RUN])
    for file in sorted(run.iterdir()):
        identity, *paths = file.read_text().splitlines()
        left += _remove(identity)
        for path in map(Path, paths):
            if path.exists():
                left.append(str(path))
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(run)
    return left


def resources_of(identity: str) -> list[str]:
    """The names of the containers, volumes and networks that carry the stack's label. Raises ClusterUnreachable."""
    label: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={identity}"}
    with docker_errors(f"list what belongs to {identity}"):
        found = [str(container.name) for container in engine().containers.list(all=True, filters=label)]
        found += [str(volume.name) for volume in engine().volumes.list(filters=label)]
        found += [str(network.name) for network in engine().networks.list(filters=label)]
    return found


def _remove(identity: str) -> list[str]:
    """Remove what Docker has of a cluster; what that was."""
    try:
        found = resources_of(identity)
        if found:
            remove_all(identity)
    except FleetCaptainError as error:
        return [f"the cluster {identity}, which could not be removed: {error}"]
    return found


def _lingering() -> list[tuple[int, str]]:
    """The processes of this run, but this one, that do not end by themselves: (process id, command)."""
    deadline = time.monotonic() + _GRACE_SEC
    while (found := list(_processes())) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SEC)
    return found


def _processes() -> Iterator[tuple[int, str]]:
    mark = f"{_RUN}={os.environ[_RUN]}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int(path.name) != os.getpid() and mark in (path / "environ").read_bytes().split(b"\0"):
                yield int(path.name), (path / "cmdline").read_text().replace("\0", " ").strip()[:80]
        except OSError:
            continue  # it has ended, or belongs to another user
