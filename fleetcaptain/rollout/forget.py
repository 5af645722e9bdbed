"""The end of an app: what etcd has of it goes with its last unit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.keys import app_dir, lock_key
from fleetcaptain.errors import Locked
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.lock import Lock
from fleetcaptain.rollout.owner import this_process
from fleetcaptain.units.beacon import beacon_name

__all__ = ["forget_app"]


def forget_app(cluster: Cluster, report: Callable[[str], None]) -> None:
    """Remove all that etcd has of the app, unless a unit of it is left, of whichever stack.

    Decided under the lock of the beacon's service. The beacon is the first unit of an app that comes, so no deployment
    begins in between; one that holds the lock now keeps what it needs.
    """
    if _has_units(cluster):
        return
    service = beacon_name(cluster.app).removesuffix(".service")
    lock = Lock(cluster.store, lock_key(cluster.app, service), this_process(), service)
    with suppress(Locked):
        lock.acquire(cluster.sleep, report)
        try:
            if not _has_units(cluster):
                cluster.store.delete(app_dir(cluster.app), recursive=True)
                Access(cluster.store.ask).revoke(cluster.app)
        finally:
            lock.release()


def _has_units(cluster: Cluster) -> bool:
    marks = (unit.mark for unit in cluster.look().units.values())
    return any(mark is not None and mark.app == cluster.app for mark in marks)
