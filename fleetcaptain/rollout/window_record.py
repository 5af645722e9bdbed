"""What a rollout tells the machine agents about the windows of its service: how many instances it has running."""

from __future__ import annotations

from fleetcaptain.discovery.keys import window_event_key, window_state_key
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.schedule.stored_windows import ServiceWindows
from fleetcaptain.schedule.window_event import DEPLOYMENT, EVENT_SEC, WindowEvent
from fleetcaptain.units.names import instance_names

__all__ = ["record_opening", "record_running"]


def record_running(cluster: Cluster, service: str) -> None:
    """Tell the machine agents how many instances of *service* run, if it has windows: what a rollout that failed has
    opened or left is not what they did last."""
    snapshot = cluster.snapshot()
    plan = snapshot.window_plan(service)
    if plan is None:
        return
    names = instance_names(service, plan.most)
    running = sum(name in snapshot.units and name not in snapshot.waiting for name in names)
    windows, now = snapshot.windows[service], int(cluster.wall_clock())
    known = windows.running
    if windows.state is None or known != running:
        _write(cluster, service, WindowEvent(now, known, running, 0, DEPLOYMENT, now), is_event=known != running)


def record_opening(cluster: Cluster, service: str, windows: ServiceWindows, instances: int, due: int) -> None:
    """Tell the machine agents that so many *instances* of *service* were launched for a window that has to be ready at
    *due*: they note when all are, and close it. *windows*: what they know."""
    if windows.running < instances:
        event = WindowEvent(int(cluster.wall_clock()), windows.running, instances, due, DEPLOYMENT)
        _write(cluster, service, event, is_event=True)


def _write(cluster: Cluster, service: str, event: WindowEvent, *, is_event: bool) -> None:
    cluster.store.write(window_state_key(cluster.app, service), event.to_text())
    if is_event:
        cluster.store.write(window_event_key(cluster.app, service, event.at), event.to_text(), EVENT_SEC)
