"""The windows of one service around a moment: the next 24 hours by its plan, the last 24 by what happened. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetcaptain.schedule.forecast import DAY_SEC, Change, changes
from fleetcaptain.schedule.local_time import iso_utc
from fleetcaptain.schedule.outcome import Outcome, levels_of, outcomes
from fleetcaptain.schedule.stored_windows import ServiceWindows
from fleetcaptain.schedule.window_plan import WindowPlan

__all__ = ["ServiceSchedule", "as_json", "change_as_json", "schedule_of"]


@dataclass(frozen=True)
class ServiceSchedule:
    """The windows of *service* at *now* (seconds of the Unix clock), by its *plan*: what happened in the *last* 24
    hours, and the *next* ones. *planned* and *real*: (second, number of instances) for each change of these 48 hours,
    the real ones until now. *timezones*: those of its windows, by name, as far as they are known."""

    service: str
    now: int
    plan: WindowPlan
    last: tuple[Outcome, ...]
    next: tuple[Change, ...]
    planned: tuple[tuple[int, int], ...]
    real: tuple[tuple[int, int], ...]
    timezones: Mapping[str, str]

    @property
    def timezone(self) -> str:
        """That of its first window, ``UTC`` if unknown."""
        return _timezone(self.plan, self.timezones)


def schedule_of(
    service: str, plan: WindowPlan, windows: ServiceWindows, now: int, timezones: Mapping[str, str]
) -> ServiceSchedule:
    """The schedule of *service* by its *plan* and the events of its *windows*; *timezones*: those of them, by name."""
    start, end = now - DAY_SEC, now + DAY_SEC
    timezone = _timezone(plan, timezones)
    past = changes(service, plan, start + 1, now + 1, timezones)
    ahead = changes(service, plan, now + 1, end, timezones)
    return ServiceSchedule(
        service,
        now,
        plan,
        last=outcomes(past, windows.events, start, now, service=service, base=plan.base, timezone=timezone),
        next=ahead,
        planned=((start, plan.desired(start)), *((change.at, change.after) for change in (*past, *ahead))),
        real=levels_of(windows.events, start, now, plan.base),
        timezones=timezones,
    )


def _timezone(plan: WindowPlan, timezones: Mapping[str, str]) -> str:
    return next((timezones[one.name] for one in plan.series if one.name in timezones), "UTC")


def as_json(schedule: ServiceSchedule, addresses: Mapping[str, str]) -> dict[str, Any]:
    """*schedule* as JSON data; docs/scaling.md describes every field. *addresses*: machine's id -> its address."""
    plan = schedule.plan
    return {
        "service": schedule.service,
        "instances": plan.base,
        "desired": plan.desired(schedule.now),
        "lead_sec": plan.lead_sec,
        "planned_until": iso_utc(plan.horizon),
        "next": [change_as_json(change) for change in schedule.next],
        "last": [_outcome(outcome, addresses) for outcome in schedule.last],
    }


def change_as_json(change: Change) -> dict[str, Any]:
    """*change* as JSON data; times are ISO 8601 in UTC."""
    return {
        "at": iso_utc(change.at),
        "from": change.before,
        "to": change.after,
        "windows": list(change.windows),
        "ready_by": iso_utc(change.ready_by) if change.ready_by else "",
        "timezone": change.timezone,
        "machines": change.machines,
    }


def _outcome(outcome: Outcome, addresses: Mapping[str, str]) -> dict[str, Any]:
    event = outcome.event
    return {
        **change_as_json(outcome.change),
        "result": outcome.result.value,
        "bad": outcome.is_bad,
        "margin_sec": outcome.margin_sec,
        "happened": iso_utc(event.at) if event else "",
        "ready": iso_utc(event.ready) if event and event.ready is not None else "",
        "by": addresses.get(event.by, event.by) if event else "",
    }
