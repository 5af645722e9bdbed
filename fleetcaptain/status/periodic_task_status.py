"""The status of a periodic task: its last run, and the next one. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from fleetcaptain.rollout.observe import Snapshot, owned_files
from fleetcaptain.status.ages import seconds_between
from fleetcaptain.status.picture import Picture
from fleetcaptain.tasks.next_run import calendar_of, next_run_of
from fleetcaptain.tasks.periodic_pair import INSTALLED, PeriodicPair, pair_state
from fleetcaptain.tasks.task_output import ending
from fleetcaptain.tasks.task_run import RunState, TaskRun
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.names import periodic_units

__all__ = ["PeriodicTaskStatus", "periodic_task_statuses"]

# fleet shows a state of a unit some seconds late, and of one that has moved 23 s late.
_SEEN_SEC = 60


@dataclass(frozen=True)
class PeriodicTaskStatus:
    """The periodic task *name*, which runs at *every* moment of a calendar event of systemd; *next_run* is the first
    one (ISO 8601, UTC; "" if it is not known).

    *state* is that of its last run: ``none``, ``running``, ``done``, ``failed``, or ``unknown`` when its machine ended
    meanwhile, or could not write the result. It began at *since* on the machine *address*, and ended at *until* with
    *status*; *reason* says why in words if it failed. *is_current*: it had the text that is deployed now.
    *trouble*: why the next run will not be; "" if it will.
    """

    name: str
    every: str = ""
    state: str = "none"
    since: str = ""
    until: str = ""
    address: str = ""
    status: int | None = None
    reason: str = ""
    is_current: bool = True
    next_run: str = ""
    trouble: str = ""


def periodic_task_statuses(
    picture: Picture, snapshot: Snapshot, ownership: Ownership
) -> tuple[PeriodicTaskStatus, ...]:
    """Each periodic task that *ownership* has units of; those with a run, when fleet did not answer."""
    runs = picture.keys.tasks if picture.keys else {}
    files = owned_files(ownership, snapshot)
    names = {file.periodic for file in files.values() if file.periodic}
    if picture.fleet is None:
        names |= {name for name, run in runs.items() if run.unit == periodic_units(name)[0]}
    found = []
    for name in sorted(names):
        service, timer = (files.get(unit) for unit in periodic_units(name))
        trouble = ""
        if picture.fleet is not None:
            missing = [unit for unit in periodic_units(name) if unit not in files]
            trouble = f"{', '.join(missing)} is missing"
            if service is not None and timer is not None:
                state = pair_state(PeriodicPair(name, service, timer), snapshot)
                trouble = "" if state == INSTALLED else state
                if not trouble and snapshot.units[periodic_units(name)[1]].machine_id is None:
                    trouble = "no machine has it"
        every = calendar_of(timer) if timer else ""
        upcoming = next_run_of(timer, datetime.fromisoformat(picture.at)) if timer and not trouble else ""
        run = runs.get(name)
        last = _last(name, run, snapshot) if run else PeriodicTaskStatus(name)
        if picture.fleet is not None and run is not None and _is_lost(run, snapshot, picture.at):
            last = replace(last, state=RunState.UNKNOWN.value)
        is_current = run is None or service is None or run.unit_hash == service.unit_hash
        found.append(replace(last, every=every, is_current=is_current, next_run=upcoming, trouble=trouble))
    return tuple(found)


def _is_lost(run: TaskRun, snapshot: Snapshot, at: str) -> bool:
    """Whether no machine runs what the journal says is running: its machine is gone, or its unit is at rest there."""
    if run.state is not RunState.RUNNING:
        return False
    rows = [row for row in snapshot.states if (row.name, row.machine_id) == (run.unit, run.machine)]
    age = seconds_between(run.asked, at)
    is_seen = age is None or age >= _SEEN_SEC
    at_rest = is_seen and any(row.active not in ("activating", "deactivating") for row in rows)
    return at_rest or run.machine not in snapshot.machines


def _last(name: str, run: TaskRun, snapshot: Snapshot) -> PeriodicTaskStatus:
    """The last run alone, as the journal has it."""
    machine = snapshot.machines.get(run.machine)
    ended = not run.is_active
    return PeriodicTaskStatus(
        name,
        state=run.state.value,
        since=run.asked,
        until=run.until,
        address=machine.ip if machine else run.machine,
        status=run.status if ended else None,
        reason=ending(run) if run.state is RunState.FAILED else "",
    )
