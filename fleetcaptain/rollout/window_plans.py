"""Writes the plans of windows that the machine agents follow, and opens the windows that begin during a rollout."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from fleetcaptain.discovery.keys import (
    service_window_events_dir,
    service_windows_dir,
    window_plan_key,
)
from fleetcaptain.history.stored_records import read_records
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.strategies.standby import standby_lacks
from fleetcaptain.rollout.targets import DesiredService
from fleetcaptain.rollout.window_record import record_running
from fleetcaptain.schedule.lead_time import LeadTime, is_too_short, lead_time
from fleetcaptain.schedule.window import desired_within, most_instances, warm_instances
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.schedule.window_plan import WindowPlan, plan_of
from fleetcaptain.units.names import instance_names
from fleetcaptain.untrusted import Unreadable, readable

__all__ = [
    "forget_windows",
    "keeps_windows",
    "lead_time_of",
    "needed_now",
    "publish_windows",
    "rebase_windows",
]


def needed_now(cluster: Cluster, desired: DesiredService) -> Callable[[], tuple[str, ...]]:
    """A function that returns the units of *desired* that must run now, those of windows included that open within
    their lead time. Windows with machines of their own are left to the machine agents, which wait for these."""
    windows = [window for window in desired.windows if not window.machines]
    if not windows:
        return tuple
    lead_sec = lead_time_of(cluster, desired.service).lead_sec

    def names() -> tuple[str, ...]:
        now = cluster.wall_clock()
        return instance_names(desired.service, desired_within(desired.instances, windows, now, now + lead_sec))

    return names


def publish_windows(cluster: Cluster, desired: DesiredService, before: Snapshot) -> None:
    """Write the plan of *desired*, whose units are as they must be, for the machine agents, and how many run. Of a
    service that has no windows any more, by the snapshot *before* its rollout, all is removed."""
    service = desired.service
    if not desired.windows:
        if service in before.windows:
            forget_windows(cluster, service)
        return
    lead_sec, now = lead_time_of(cluster, service).lead_sec, int(cluster.wall_clock())
    _write_plan(cluster, service, plan_of(f"{service}@%.service", desired.instances, desired.windows, lead_sec, now))


def keeps_windows(cluster: Cluster, desired: DesiredService, snapshot: Snapshot) -> bool:
    """Whether the cluster of *snapshot* is ready for the windows of *desired*: the plan of the machine agents is
    theirs, reaches far enough and opens them early enough, and their units wait as they must. A computer that lacks the
    data of a time zone cannot tell."""
    plan = snapshot.window_plan(desired.service)
    if plan is None:
        return False
    sizes = (most_instances(plan.base, desired.windows), warm_instances(plan.base, desired.windows))
    names = {*plan.extra_names, *desired.target(snapshot).standby}
    ready = all(name in snapshot.units for name in names) and not standby_lacks(desired.target(snapshot), snapshot)
    if (plan.most, plan.warm) != sizes or not ready:
        return False
    if is_too_short(plan.lead_sec, lead_time_of(cluster, desired.service)):
        return False
    with suppress(Unreadable):
        return plan.follows(desired.windows, int(cluster.wall_clock()))
    return True


def rebase_windows(cluster: Cluster, service: str, instances: int) -> None:
    """Let the windows of *service*, if it has some, begin from so many *instances*."""
    plan = cluster.snapshot().window_plan(service)
    if plan is not None:
        most, warm = max(instances, plan.most), max(instances, plan.warm)
        _write_plan(cluster, service, replace(plan, base=instances, most=most, warm=warm))


def forget_windows(cluster: Cluster, service: str) -> None:
    """Remove all that etcd has of the windows of *service*."""
    for directory in (service_windows_dir(cluster.app, service), service_window_events_dir(cluster.app, service)):
        cluster.store.delete(directory, recursive=True)


def _write_plan(cluster: Cluster, service: str, plan: WindowPlan) -> None:
    cluster.store.write(window_plan_key(cluster.app, service), plan.to_text())
    record_running(cluster, service)


def lead_time_of(cluster: Cluster, service: str) -> LeadTime:
    """The lead time of the windows of *service*, by what its starts took."""
    records, _ = read_records(cluster.store, cluster.app, service)
    nodes = cluster.store.below(service_window_events_dir(cluster.app, service))
    events = [readable(WindowEvent.from_text, node.value) for node in nodes]
    return lead_time(records, [event for event in events if event is not None])
