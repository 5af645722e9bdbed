"""What was true of the cluster all the time: looked at in a loop while faults happen, and judged afterwards."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fleetcaptain.discovery.keys import lock_key
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.lock import Owner
from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.untrusted import readable

__all__ = ["History", "recorded"]

_PAUSE_SEC = 0.2


@dataclass
class History:
    """Every look at *service*, in order, and who held its lock at each."""

    service: str
    looks: list[Snapshot] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)

    def serving(self, snapshot: Snapshot) -> set[str]:
        """The instances that serve in one look, whatever they serve. One whose state is not reported, as when a fleetd
        has just started, is unknown, not down: its registration tells."""
        names = [name for name in snapshot.units if name.startswith(f"{self.service}@")]
        instances = [observe(name, snapshot) for name in names]
        return {
            instance.name
            for instance in instances
            if instance.serving or (instance.running is None and instance.registered is not None)
        }

    @property
    def least(self) -> int:
        """The fewest instances that served at any time. A look is several questions, and takes seconds while a fleetd
        or an etcd is away: it may show one instance as it was and another as it is. So what serves in one of two looks
        that follow each other is not taken for down; who is down is so for longer."""
        served = [self.serving(look) for look in self.looks]
        return min(len(one | other) for one, other in itertools.pairwise(served))

    @property
    def unit_hashes(self) -> set[str]:
        """What the instances have in the last look."""
        units = self.looks[-1].units
        return {unit.unit_hash for name, unit in units.items() if name.startswith(f"{self.service}@")}

    @property
    def turns(self) -> list[str]:
        """The holders of the lock in their order; one that comes again after another is told twice."""
        return [owner for index, owner in enumerate(self.owners) if index == 0 or owner != self.owners[index - 1]]


@contextmanager
def recorded(cluster: Cluster, service: str) -> Iterator[History]:
    """Look at *cluster* until the block ends, as often as it answers."""
    history, done = History(service), threading.Event()

    def watch() -> None:
        while not done.is_set():
            try:
                history.looks.append(cluster.snapshot())
                node = cluster.store.read(lock_key(cluster.app, service))
            except FleetCaptainError:
                continue  # a cluster without quorum tells nothing
            owner = readable(Owner.from_json, node.value) if node else None
            if owner is not None:
                history.owners.append(owner.token)
            time.sleep(_PAUSE_SEC)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield history
    finally:
        done.set()
        watcher.join()
        history.looks.append(cluster.snapshot())
