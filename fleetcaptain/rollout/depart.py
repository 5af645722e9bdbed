"""Removes a service that left the app: its units, and what etcd has of its windows and its maintenance."""

from __future__ import annotations

from collections.abc import Callable

from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.journal import guarded
from fleetcaptain.rollout.observe import instances_of
from fleetcaptain.rollout.remove import has_units, remove
from fleetcaptain.rollout.service_maintenance import forget_maintenance
from fleetcaptain.rollout.window_plans import forget_windows

__all__ = ["forget_service", "remove_service"]


def remove_service(
    cluster: Cluster, service: str, report: Callable[[str], None], stopping: Callable[[], bool] = lambda: False
) -> None:
    """Remove the units of *service* that are ours under its lock. Raises Locked, Interrupted and DeadlineExceeded."""
    # The names in a state do not count: others may have created units with these names since.
    with guarded(cluster, service, "", report, stopping=stopping, strategy="remove") as (fenced, snapshot):
        remove(fenced, service, instances_of(cluster.ownership, service, snapshot), report)
    forget_service(cluster, service)


def forget_service(cluster: Cluster, service: str) -> None:
    """Remove what etcd has of the maintenance and the windows of *service*, unless it has units."""
    if not has_units(cluster, service):
        forget_maintenance(cluster, service)
        if service in cluster.snapshot().windows:
            forget_windows(cluster, service)
