"""Which machines of a local cluster are started at once, and which only when etcd's members are settled. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from components.cluster.layout import Layout
from fleetcaptain.members.decide import refuse_loss

__all__ = ["Boot", "boot"]


@dataclass(frozen=True)
class Boot:
    """*now*: made, or started, as the layout has them. *resumed*: started as they are, for they hold data of which they
    are about to be relieved. All others wait: a fleetd that loses etcd while its members change is away for half a
    minute. *fresh*: etcd begins anew, with all machines at once."""

    now: tuple[str, ...]
    resumed: tuple[str, ...]
    fresh: bool


def boot(layout: Layout, status: Mapping[str, str], data: Collection[str], known: Collection[str]) -> Boot:
    """*status*: what Docker says of each machine that is there; *data*: the machines that have a volume of etcd's;
    *known*: the members that etcd was last seen to have, none before it ever had any. Raises QuorumLost."""
    refuse_loss(known, data)
    down = [name for name in layout.names if status.get(name) != "running"]
    if not set(known) & set(data):
        return Boot(tuple(down), (), fresh=True)
    members = {member.name for member in layout.members}
    now = [name for name in down if name in members and name in data]
    stopped = [name for name in status if status[name] != "running" and name in data and name not in members]
    return Boot(tuple(now), tuple(stopped), fresh=False)
