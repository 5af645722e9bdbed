"""Offers the machine agent's program to the machines: a key in etcd, from which the agent's unit installs it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from fleetcaptain.agent.program import encoded, program_hash
from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import agent_key, agents_dir
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["is_offered", "offered"]


@contextmanager
def offered(store: EtcdStore, app: str) -> Iterator[None]:
    """Write the program of this version, and let machines write the heartbeats of *app*. The block rolls the agent's
    unit out; after it every machine runs this program, so those of other versions are removed."""
    own = agent_key(app, program_hash())
    store.write(own, encoded())
    Access(store.request).grant(app)
    yield
    for node in store.below(agents_dir(app)):
        if node.key != own:
            store.delete(node.key)


def is_offered(store: EtcdStore, app: str, file: UnitFile) -> bool:
    """Whether etcd has the program that the agent's unit *file* names. A machine that joins, or lost its copy, takes it
    from there. The beacon of version 0.2.0, which an upgrade reads before it removes it, names none."""
    program = next((option.value for option in file.options if option.name == "Program"), "")
    if not program:
        return True
    node = store.read(agent_key(app, program))
    return node is not None and _hash_of(node.value) == program


def _hash_of(value: str) -> str:
    try:
        return hashlib.sha256(base64.b64decode(value, validate=True)).hexdigest()
    except ValueError:
        return ""
