"""The runs of deployments' tasks that have a unit on the cluster. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.units.mark import Ownership

__all__ = ["TaskRunStatus", "task_run_statuses"]

_RUNNING = ("activating", "active")


@dataclass(frozen=True)
class TaskRunStatus:
    """A run of the task *name* by its *unit*, the *address* of its machine, "" before it has one, and its *state*:
    ``running``, also while its image is pulled, else systemd's (``failed``), ``waiting`` before it has one."""

    name: str
    unit: str
    address: str
    state: str


def task_run_statuses(ownership: Ownership, snapshot: Snapshot) -> tuple[TaskRunStatus, ...]:
    """The runs by units that *ownership* covers, by name. A unit is removed when its run is over."""
    found = []
    for name, unit in sorted(snapshot.units.items()):
        if unit.file.task and ownership.owns(name, unit.mark):
            one = observe(name, snapshot)
            state = "running" if one.active in _RUNNING else one.active or "waiting"
            found.append(TaskRunStatus(unit.file.task, name, one.machine or "", state))
    return tuple(found)
