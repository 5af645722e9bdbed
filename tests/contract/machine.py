"""A cluster of one machine in Docker, made by the project's own code and removed again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.cluster.layout import Layout, stack_id
from components.cluster.local import machine_image
from components.cluster.machines import remove_all
from components.cluster.provider import RUNNING, LocalMachinesProvider
from tests.e2e.leftovers import note

__all__ = ["one_machine"]

_ROOT = Path(__file__).resolve().parents[2]
_METADATA = {"rack": "r1", "disk": "ssd"}


@contextmanager
def one_machine(home: Path) -> Iterator[Layout]:
    """A running machine, whose key is kept in *home*. Its programs are in the folder that the environment variable
    FLEETCAPTAIN_TOOLS names, or where `make tools` puts them. Raises FleetCaptainError."""
    identity = stack_id("fleetcaptain", "e2e-contract", _ROOT)
    note(identity)
    wanted = {
        "identity": identity,
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
    inputs = provider.check({}, wanted).inputs
    remove_all(identity)  # what an interrupted run left
    try:
        provider.create(inputs)
        yield Layout.of(inputs)
    finally:
        remove_all(identity)
