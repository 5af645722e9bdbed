"""The compatibility gate, asked of a cluster: may an old generation go?"""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.release.holders import Successor, holders, told
from fleetcaptain.release.known import read_manifests
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["held"]


def held(cluster: Cluster, service: str, units: Iterable[str], successor: str | None, but: str = "") -> str:
    """Who still depends on *units* of *service*, in words; empty when they may go.

    *successor* is the content of the generation that takes their place; None: nothing does. Those of the release *but*
    do not count.
    """
    snapshot = cluster.look()
    contents = {snapshot.units[name].content for name in units if name in snapshot.units}
    versions = {
        version
        for entry in snapshot.live
        if entry.service == service and entry.content == successor
        for version in entry.versions
    }
    following = Successor(successor, tuple(sorted(versions))) if successor is not None else None
    manifests = read_manifests(cluster.store, cluster.app)
    found = holders(service, contents, following, snapshot.live, manifests)
    found = tuple(holder for holder in found if holder.tag != but)
    return told(service, found) if found else ""
