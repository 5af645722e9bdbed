"""A cluster of one machine in Docker, made by the project's own code and removed again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.cluster.local import machine_image
from components.cluster.local_provider import RUNNING, LocalMachinesProvider
from fleetcaptain.fleet.project_files import STACKS
from fleetcaptain.localcluster.layout import Layout
from fleetcaptain.localcluster.machines import remove_all
from tests.e2e.leftovers import give_identity, identity_of, note

__all__ = ["one_machine"]

_ROOT = Path(__file__).resolve().parents[2]
_STACK = "e2e-contract"
_METADATA = {"rack": "r1", "disk": "ssd"}


@contextmanager
def one_machine() -> Iterator[Layout]:
    """A running machine. Its programs are in the folder that the environment variable FLEETCAPTAIN_TOOLS names, or
    where `make tools` puts them. Raises FleetCaptainError."""
    identity, home = identity_of(_STACK, Path.cwd()), Path(STACKS) / _STACK
    note(identity, home.absolute())
    give_identity(_STACK, Path.cwd())
    wanted = {
        "identity": f"fleetcaptain/{_STACK}",
        "size": 1,
        "home": str(home),
        "image": machine_image(),
        "tools": os.environ.get("FLEETCAPTAIN_TOOLS", str(_ROOT / ".tools" / "bin")),
        "agent_ttl_sec": 30,
        "metadata": _METADATA,
        "tls": False,
        "state": RUNNING,
    }
    provider = LocalMachinesProvider()
    remove_all(identity)  # what an interrupted run left
    inputs = provider.check({}, wanted).inputs
    try:
        provider.create(inputs)
        yield Layout.of(inputs)
    finally:
        remove_all(identity)
        shutil.rmtree(home, ignore_errors=True)
