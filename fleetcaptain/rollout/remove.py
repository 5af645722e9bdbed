"""Removes units: stop first, delete when dead; and the app's keys in etcd with its last unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import Enum

from fleetcaptain.discovery.access import Access
from fleetcaptain.discovery.keys import app_dir, lock_key
from fleetcaptain.errors import DeadlineExceeded, Locked
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.lock import Lock, this_process
from fleetcaptain.rollout.model import TICK_SEC
from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.rollout.ownership import foreign
from fleetcaptain.units.agent_calls import agent_name
from fleetcaptain.units.data_anchor import is_anchor

__all__ = ["RemovalStep", "forget_app", "has_units", "patience", "remove", "step"]

# The time that fleet and systemd need in addition to the stop itself.
_MARGIN_SEC = 100.0


class RemovalStep(Enum):
    """The next action of an instance's removal."""

    STOP = "stop"
    DELETE = "delete"
    WAIT = "wait"
    NOTHING = "nothing"


def step(instance: Instance) -> RemovalStep:
    """The next step of removing *instance*."""
    if instance.gone:
        return RemovalStep.NOTHING
    if instance.unit_hash is None:
        return RemovalStep.WAIT
    if instance.stopped:
        return RemovalStep.DELETE
    return RemovalStep.STOP if instance.desired == DesiredState.LAUNCHED else RemovalStep.WAIT


def remove(
    cluster: Cluster,
    service: str,
    names: Iterable[str],
    report: Callable[[str], None] = lambda _line: None,
) -> None:
    """Remove units and their registrations in parallel; return when fleet and systemd no longer have them. *service* is
    empty for units without a mark, which have no registrations.

    A unit that is not ours, by its mark at each step, stays, with its registration. Raises DeadlineExceeded, with the
    remaining units, when that takes longer than their stop limits (see `patience`).
    """
    names = tuple(names)
    if not names:
        return
    began = acted = cluster.clock()
    timeout_sec = 0.0
    reported: list[str] = []
    while True:
        snapshot = cluster.snapshot(acted)
        timeout_sec = max(timeout_sec, patience(names, snapshot))
        others = foreign(cluster.ownership, names, snapshot.units)
        observed = {name: observe(name, snapshot) for name in names if name not in others}
        steps = {name: step(instance) for name, instance in observed.items()}
        left = [name for name, next_step in steps.items() if next_step is not RemovalStep.NOTHING]
        if not left:
            break
        if cluster.clock() - began > timeout_sec:
            raise DeadlineExceeded(
                f"Failed to remove {', '.join(left)} within {timeout_sec:.0f} s. Check them with `systemctl status` on "
                "their machines, then run the same command again."
            )
        if left != reported:
            report(f"removing {', '.join(left)}")
            reported = left
        for name in left:
            if steps[name] is RemovalStep.STOP:
                cluster.set_desired_state(name, DesiredState.LOADED)
            elif steps[name] is RemovalStep.DELETE:
                cluster.delete(name)
        if RemovalStep.STOP in steps.values() or RemovalStep.DELETE in steps.values():
            acted = cluster.clock()
        _wake(cluster, observed, snapshot)
        cluster.sleep(TICK_SEC)
    for name in observed if service else ():
        cluster.unregister(service, name)


def patience(names: Iterable[str], snapshot: Snapshot) -> float:
    """The timeout in seconds for the removal of the units *names*: the longest of their stop limits, plus a margin."""
    limits = (snapshot.units[name].file.stop_limit_sec for name in names if name in snapshot.units)
    return max(limits, default=0) + _MARGIN_SEC


def _wake(cluster: Cluster, observed: Mapping[str, Instance], snapshot: Snapshot) -> None:
    """Nudge fleet's agents with a unit that stops, or with the app's machine agent if all are deleted: a DELETE wakes
    none."""
    stopping = [
        name for name, instance in observed.items() if step(instance) is RemovalStep.WAIT and instance.unit_hash
    ]
    agent = agent_name(cluster.app)
    if stopping:
        cluster.nudge(stopping[0], DesiredState.LOADED)
    elif agent in snapshot.units and agent not in observed:
        cluster.nudge(agent, DesiredState.LAUNCHED)


def forget_app(cluster: Cluster, report: Callable[[str], None]) -> None:
    """Remove all keys of the app from etcd, and the units that kept its services with their data, unless another unit
    of the app remains, of any stack. The data stays on the machines.

    Decided under the lock of the machine agent's service. The agent is the first unit that a deployment starts, so none
    begins in between; a deployment that holds the lock now keeps its keys.
    """
    if _has_units(cluster):
        return
    service = agent_name(cluster.app).removesuffix(".service")
    lock = Lock(cluster.store, lock_key(cluster.app, service), this_process(), service)
    with suppress(Locked):
        lock.acquire(cluster.sleep, report)
        try:
            if not _has_units(cluster):
                remove(cluster, "", _anchors(cluster), report)
                cluster.store.delete(app_dir(cluster.app), recursive=True)
                Access(cluster.store.request).revoke(cluster.app)
        finally:
            lock.release()


def has_units(cluster: Cluster, service: str) -> bool:
    """Whether a unit of *service* remains, of any stack. Those of tasks are none."""
    units = cluster.snapshot().units.values()
    of_app = (unit for unit in units if unit.mark is not None and unit.mark.app == cluster.app)
    return any(unit.mark and unit.mark.service == service and not unit.file.of_task for unit in of_app)


def _has_units(cluster: Cluster) -> bool:
    marks = (unit.mark for unit in cluster.snapshot().units.values() if not is_anchor(unit.mark))
    return any(mark is not None and mark.app == cluster.app for mark in marks)


def _anchors(cluster: Cluster) -> list[str]:
    units = cluster.snapshot().units
    return [name for name, unit in units.items() if is_anchor(unit.mark) and unit.mark and unit.mark.app == cluster.app]
