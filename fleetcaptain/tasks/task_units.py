"""Removes the units of tasks from fleet. Each run has one of its own; a periodic task has two."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import owned_files
from fleetcaptain.tasks.periodic_pair import tasks_on
from fleetcaptain.tasks.task_lock import task_locked
from fleetcaptain.tasks.task_store import TaskStore
from fleetcaptain.units.names import periodic_units

__all__ = ["clear_all_units", "clear_ended_units", "clear_units", "remove_pair"]


def remove_pair(
    cluster: Cluster,
    name: str,
    report: Callable[[str], None] = lambda _line: None,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Remove the units of the periodic task *name* that are ours, the timer first. Its machine stops a run that goes
    on; the journal stays. Raises Locked when another deployment changes them, Interrupted when *stopping* returns
    true."""
    if not _own_units(cluster, name):
        return
    with task_locked(cluster, name, report, stopping) as fenced:
        for unit in _own_units(fenced, name):
            fenced.delete(unit)


def _own_units(cluster: Cluster, name: str) -> list[str]:
    own = owned_files(cluster.ownership, cluster.snapshot())
    return [unit for unit in reversed(periodic_units(name)) if unit in own]


def clear_units(cluster: Cluster, name: str) -> None:
    """Remove the units of the task *name* whose run is over."""
    # First the units: each was put after its run was written.
    units = _units_of_tasks(cluster)
    _node, last = TaskStore(cluster.store, cluster.app, name).last()
    active = last.unit if last is not None and last.is_active else ""
    for unit, task in units.items():
        if task == name and unit != active:
            cluster.delete(unit)


def clear_ended_units(cluster: Cluster, periodic: Collection[str]) -> None:
    """Remove the units of all tasks of the stack, whether the Fleetfile has them or not, whose run is over, and the
    pairs of all periodic tasks but the declared ones (*periodic*): no resource has that of a deployment that was
    killed. Raises Locked when another deployment changes such a pair."""
    for task in sorted(set(_units_of_tasks(cluster).values())):
        clear_units(cluster, task)
    for task in tasks_on(cluster.ownership, cluster.snapshot()):
        if task not in periodic:
            remove_pair(cluster, task)


def clear_all_units(cluster: Cluster) -> None:
    """Remove the units of all tasks of the stack, also those that run, whose containers their machines stop. Raises
    Locked when another deployment changes the pair of a periodic task."""
    for unit in _units_of_tasks(cluster):
        cluster.delete(unit)
    for task in tasks_on(cluster.ownership, cluster.snapshot()):
        remove_pair(cluster, task)


def _units_of_tasks(cluster: Cluster) -> dict[str, str]:
    """Unit -> its task, of the units that the cluster's stack owns."""
    own = owned_files(cluster.ownership, cluster.snapshot())
    return {name: file.task for name, file in own.items() if file.task}
