"""The runs of deployments' tasks: those that have a unit on the cluster, and those that failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.tasks.task_output import ending
from fleetcaptain.tasks.task_run import RunState, TaskRun
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.names import periodic_units

__all__ = ["TaskRunStatus", "failed_runs", "task_run_statuses"]

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


def failed_runs(runs: Mapping[str, TaskRun], snapshot: Snapshot) -> tuple[str, ...]:
    """One sentence for each task of a deployment (task -> its last run) that did not succeed."""
    found = []
    for name, run in sorted(runs.items()):
        machine = snapshot.machines.get(run.machine)
        where = machine.ip if machine else run.machine
        if run.unit == periodic_units(name)[0]:
            continue
        if run.state is RunState.FAILED:
            found.append(f"the task {name} failed on {where}: {ending(run)}, see `captain logs {name}`")
        elif run.state is RunState.UNKNOWN:
            found.append(f"the result of the task {name} on {where} is unknown, see `captain logs {name}`")
    return tuple(found)
