"""Takes a service out of discovery while its instances run, and back: writes the key that the machine agents read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.discovery.keys import maintenance_dir, maintenance_key
from fleetcaptain.discovery.maintenance import Maintenance
from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.lock import this_process
from fleetcaptain.untrusted import readable

__all__ = ["begin_maintenance", "end_maintenance", "forget_maintenance", "maintained_services"]

# The agents look every 4 s; one that restarts, or that cannot reach etcd, takes longer.
_AGENTS_SEC = 60.0


def maintained_services(cluster: Cluster) -> Mapping[str, Maintenance | None]:
    """Service -> its maintenance; None for a value of another program, which counts as well."""
    nodes = cluster.store.below(maintenance_dir(cluster.app))
    return {node.key.rpartition("/")[2]: readable(Maintenance.from_json, node.value) for node in nodes}


def begin_maintenance(cluster: Cluster, service: str, report: Callable[[str], None]) -> tuple[str, ...]:
    """Take *service* out of discovery; one that is out already stays out, and keeps who began that. Returns its
    registered units. Raises DeadlineExceeded when machine agents do not follow; the maintenance has begun then."""
    owner = this_process()
    key = maintenance_key(cluster.app, service)
    cluster.store.create(key, Maintenance(owner.who, owner.since).to_json())
    # One that a rollout drains is about to stop.
    _wait_for_agents(
        cluster, service, lambda entry: not (entry.maintenance or entry.without_agents_mark.draining), report
    )
    return tuple(sorted(entry.unit for entry in cluster.snapshot().live if entry.service == service))


def end_maintenance(cluster: Cluster, service: str, report: Callable[[str], None]) -> tuple[str, ...]:
    """Take *service* back into discovery. Returns its units that are there. Raises DeadlineExceeded when machine agents
    do not follow; the maintenance has ended then."""
    cluster.store.delete(maintenance_key(cluster.app, service))
    _wait_for_agents(cluster, service, lambda entry: entry.maintenance, report)
    live = cluster.snapshot().live
    return tuple(sorted(entry.unit for entry in live if entry.service == service and not entry.draining))


def forget_maintenance(cluster: Cluster, service: str) -> None:
    """End the maintenance of *service*, which is gone: a later service of that name would be under maintenance from its
    start."""
    cluster.store.delete(maintenance_key(cluster.app, service))


def _wait_for_agents(
    cluster: Cluster, service: str, is_late: Callable[[Registration], bool], report: Callable[[str], None]
) -> None:
    """Wait until no live registration of *service* is late."""

    def pending() -> str:
        late = [entry for entry in cluster.snapshot().live if entry.service == service and is_late(entry)]
        return ", ".join(sorted(f"{entry.unit} on {entry.host}" for entry in late))

    def timed_out(late: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{service}: the machine agents did not change these registrations within {_AGENTS_SEC:.0f} s: {late}. "
            "They change them as soon as they can. `captain doctor` says which agents do not run, or run another "
            "program; then run the same command again."
        )

    cluster.wait(
        pending, _AGENTS_SEC, timed_out, lambda late: report(f"{service}: waiting for the machine agents: {late}")
    )
