"""Removes the units of tasks from fleet. Each run has one of its own."""

from __future__ import annotations

from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.tasks.task_store import TaskStore

__all__ = ["clear_all_units", "clear_units"]


def clear_units(cluster: Cluster, name: str) -> None:
    """Remove the units of the task *name* whose run is over."""
    # First the units: each was put after its run was written.
    units = _units_of_tasks(cluster)
    _node, last = TaskStore(cluster.store, cluster.app, name).last()
    active = last.unit if last is not None and last.is_active else ""
    for unit, task in units.items():
        if task == name and unit != active:
            cluster.delete(unit)


def clear_all_units(cluster: Cluster, *, active: bool) -> None:
    """Remove the units of all tasks of the stack, whether the Fleetfile has them or not, whose run is over; and if
    *active* is true also those that run, whose containers their machines stop."""
    units = _units_of_tasks(cluster)
    for unit in units if active else ():
        cluster.delete(unit)
    for task in () if active else sorted(set(units.values())):
        clear_units(cluster, task)


def _units_of_tasks(cluster: Cluster) -> dict[str, str]:
    """Unit -> its task, of the units that the cluster's stack owns."""
    units = cluster.snapshot().units
    return {
        name: unit.file.task
        for name, unit in units.items()
        if unit.file.task and cluster.ownership.owns(name, unit.mark)
    }
