"""One change of a periodic task's pair at a time, over all computers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fleetcaptain.discovery.keys import lock_key
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.lock import Lock, this_process

__all__ = ["task_locked"]


@contextmanager
def task_locked(
    cluster: Cluster,
    name: str,
    report: Callable[[str], None] = lambda _line: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Cluster]:
    """*cluster*, fenced by the lock of the task *name*, which no service of the app is called. A change of a pair is no
    rollout, so no journal has it. Raises Locked if another process has the lock, Interrupted if *stopping* returns true
    while this one waits for it."""
    lock = Lock(cluster.store, lock_key(cluster.app, name), this_process(), name)
    lock.acquire(cluster.sleep, report, stopping)
    try:
        yield cluster.fenced(lock.renew)
    finally:
        with suppress(ClusterUnreachable):
            lock.release()
