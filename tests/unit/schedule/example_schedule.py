"""A service with two windows at eight in the morning (UTC) of Friday, 27 November 2026, and what its agents did."""

from __future__ import annotations

from fleetcaptain.schedule.service_schedule import ServiceSchedule, schedule_of
from fleetcaptain.schedule.stored_windows import ServiceWindows
from fleetcaptain.schedule.window_event import DEPLOYMENT, WindowEvent
from fleetcaptain.schedule.window_plan import WindowPlan, plan_of
from tests.unit.schedule.windows import at, window

__all__ = ["ADDRESSES", "CHICAGO", "EVENTS", "NOW", "WINDOWS", "ZONES", "deployed", "plan", "schedule"]

CHICAGO = "America/Chicago"
NOW = at("2026-11-27T08:00:00")
WINDOWS = (
    window(name="megaquery", timezone=CHICAGO, days=(0, 1, 2, 3, 4)),
    window(name="report", timezone=CHICAGO, at_least=8, days=(3,), ready_by=18 * 60, until=20 * 60),
)
ZONES = {"megaquery": CHICAGO, "report": CHICAGO}
ADDRESSES = {"m1": "10.92.50.11", "m2": "10.92.50.12"}
# The first window of the 26th was ready in time, the second one late, and its closing missed until 02:30 UTC.
EVENTS = (
    WindowEvent(at("2026-11-26T09:27:12"), 4, 12, at("2026-11-26T09:30:00"), "m2", at("2026-11-26T09:28:20")),
    WindowEvent(at("2026-11-26T10:30:04"), 12, 4, 0, "m1"),
    WindowEvent(at("2026-11-26T23:58:40"), 4, 8, at("2026-11-27T00:00:00"), "m1", at("2026-11-27T00:00:35")),
    WindowEvent(at("2026-11-27T02:30:00"), 8, 4, 0, "unknown"),
)


def plan(*, base: int = 4, lead_sec: int = 180) -> WindowPlan:
    """The plan of the service web, deployed two days ago."""
    return plan_of("web@%.service", base, WINDOWS, lead_sec, NOW - 2 * 86400)


def schedule(events: tuple[WindowEvent, ...] = EVENTS, now: int = NOW) -> ServiceSchedule:
    """The schedule of the service web at *now*."""
    return schedule_of("web", plan(), ServiceWindows(events=events), now, ZONES)


def deployed(moment: str, before: int, after: int) -> WindowEvent:
    """A deployment at *moment* that changed the number of instances."""
    when = at(moment)
    return WindowEvent(when, before, after, 0, DEPLOYMENT, when)
