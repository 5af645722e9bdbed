"""Writes the plans of windows that the machine agents follow, and opens the windows that begin during a rollout."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.discovery.keys import (
    service_window_events_dir,
    service_windows_dir,
    window_event_key,
    window_plan_key,
    window_state_key,
)
from fleetcaptain.history.stored_records import read_records
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.rollout.targets import DesiredService
from fleetcaptain.schedule.lead_time import LeadTime, lead_time
from fleetcaptain.schedule.stored_windows import ServiceWindows
from fleetcaptain.schedule.window import desired_within, most_instances
from fleetcaptain.schedule.window_event import DEPLOYMENT, EVENT_SEC, WindowEvent
from fleetcaptain.schedule.window_plan import KEEP_SEC, plan_of
from fleetcaptain.units.names import instance_names
from fleetcaptain.untrusted import readable

__all__ = ["forget_windows", "publish_windows", "rebase_windows", "running_soon"]


def running_soon(cluster: Cluster, desired: DesiredService, policy: Policy, snapshot: Snapshot) -> int:
    """How many instances *desired* needs until its rollout from *snapshot* has ended, lead time included: the machine
    agents open no window while a rollout has the lock, so it opens the next ones itself."""
    # Those with machines of their own wait for these; see the machine agent.
    windows = [window for window in desired.windows if not window.machines]
    if not windows:
        return desired.instances
    lead = _lead_time(cluster, desired.service)
    names = desired.target(snapshot).running.names
    replaced = any(observe(name, snapshot).unit_hash != desired.file.unit_hash for name in names)
    count = most_instances(desired.instances, windows) - 1
    waves = 1 + -(-count // policy.max_parallel) if replaced else 0
    ahead = lead.lead_sec + min(KEEP_SEC, waves * (policy.min_healthy_sec + lead.start_p95_sec))
    now = cluster.wall_clock()
    return desired_within(desired.instances, windows, now, now + ahead)


def publish_windows(cluster: Cluster, desired: DesiredService, before: ServiceWindows | None) -> None:
    """Write the plan of *desired*, whose units are as they must be, for the machine agents, and how many run. *before*
    is what etcd has of its windows: of a service that has none any more that is removed."""
    app, service, now = cluster.app, desired.service, int(cluster.wall_clock())
    if not desired.windows:
        if before is not None:
            forget_windows(cluster, service)
        return
    lead = _lead_time(cluster, service)
    plan = plan_of(f"{service}@%.service", desired.instances, desired.windows, lead.lead_sec, now)
    cluster.store.write(window_plan_key(app, service), plan.to_text())
    running = len(desired.target(cluster.snapshot()).running.names)
    _write_state(cluster, service, before.state if before is not None else None, desired.instances, running)


def rebase_windows(cluster: Cluster, service: str, instances: int) -> None:
    """Let the windows of *service*, if it has some, begin from so many *instances*."""
    snapshot = cluster.snapshot()
    windows = snapshot.windows.get(service)
    if windows is not None and windows.plan is not None:
        most, warm = max(instances, windows.plan.most), max(instances, windows.plan.warm)
        plan = replace(windows.plan, base=instances, most=most, warm=warm)
        cluster.store.write(window_plan_key(cluster.app, service), plan.to_text())
        launched = [name for name in instance_names(service, plan.most) if name not in snapshot.waiting]
        _write_state(cluster, service, windows.state, instances, len(launched))


def forget_windows(cluster: Cluster, service: str) -> None:
    """Remove all that etcd has of the windows of *service*."""
    for directory in (service_windows_dir(cluster.app, service), service_window_events_dir(cluster.app, service)):
        cluster.store.delete(directory, recursive=True)


def _write_state(cluster: Cluster, service: str, last: WindowEvent | None, instances: int, running: int) -> None:
    """Record that so many instances are *running* now; *last* is what was recorded before, if anything."""
    known, now = last.after if last is not None else instances, int(cluster.wall_clock())
    if last is None or known != running:
        text = WindowEvent(now, known, running, 0, DEPLOYMENT, now).to_text()
        cluster.store.write(window_state_key(cluster.app, service), text)
        if known != running:
            cluster.store.write(window_event_key(cluster.app, service, now), text, EVENT_SEC)


def _lead_time(cluster: Cluster, service: str) -> LeadTime:
    """The lead time of the windows of *service*, by what its starts took."""
    records, _ = read_records(cluster.store, cluster.app, service)
    nodes = cluster.store.below(service_window_events_dir(cluster.app, service))
    events = [readable(WindowEvent.from_text, node.value) for node in nodes]
    return lead_time(records, [event for event in events if event is not None])
