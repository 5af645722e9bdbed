"""Offers the machine agent's program to the machines: a key in etcd, from which the agent's unit installs it."""

from __future__ import annotations

from fleetcaptain.agent.program import encoded, program_hash
from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import agent_key, agents_dir

__all__ = ["forget_other_programs", "offer_program"]


def offer_program(store: EtcdStore, app: str) -> None:
    """Write the program of this version, and let machines write the heartbeats of *app*. Comes before the agent's unit
    is put."""
    store.write(agent_key(app, program_hash()), encoded())
    Access(store.request).grant(app)


def forget_other_programs(store: EtcdStore, app: str) -> None:
    """Remove the programs of other versions, once every machine runs this one."""
    own = agent_key(app, program_hash())
    for node in store.below(agents_dir(app)):
        if node.key != own:
            store.delete(node.key)
