"""Retires an old generation: drains its instances, which still answer, and removes them later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fleetcaptain.discovery.documents import drained
from fleetcaptain.discovery.keys import registration_key
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.remove import patience, remove
from fleetcaptain.untrusted import readable

__all__ = ["drain", "retire"]


def retire(
    cluster: Cluster,
    snapshot: Snapshot,
    service: str,
    old: Sequence[str],
    *,
    keep_old_sec: float,
    report: Callable[[str], None],
) -> None:
    """Drain the units *old* of *service*, and remove them *keep_old_sec* later."""
    report(f"{service}: new generation healthy; draining {', '.join(old)} for {keep_old_sec:.0f} s")
    drain(cluster, service, old, keep_old_sec + patience(old, snapshot))
    cluster.sleep(keep_old_sec)
    remove(cluster, service, old, report)


def drain(cluster: Cluster, service: str, units: Iterable[str], ttl_sec: float) -> None:
    """Take *units* out of discovery while they still answer, for *ttl_sec* seconds at most.

    The registration is marked, not removed: the agent on the machine restores missing registrations, and keeps those
    that another program changed. The mark stays until the units are removed.
    """
    for unit in units:
        key = registration_key(cluster.app, service, unit)
        marked = False
        while not marked and (node := cluster.store.read(key)) is not None:
            value = readable(drained, node.value)
            if value is None:
                cluster.store.delete(key, recursive=True)  # not a registration: any text, or a directory
                continue
            # A renewal in between changes only the key's index.
            marked = cluster.store.swap(key, node, value, ttl_sec=int(ttl_sec))
