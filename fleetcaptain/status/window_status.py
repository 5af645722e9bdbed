"""The status of a service's windows: whether one is open, what comes next, and what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleetcaptain.discovery.documents import ServiceRelease
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.schedule.forecast import DAY_SEC, Change, mark_of, next_change, running_at, timezones_of
from fleetcaptain.schedule.lead_time import LeadTime, is_too_short, lead_time
from fleetcaptain.schedule.local_time import minute_in
from fleetcaptain.schedule.outcome import RESPONSE_SEC
from fleetcaptain.schedule.stored_windows import ServiceWindows
from fleetcaptain.schedule.window_plan import WindowPlan

__all__ = ["WindowStatus", "window_problems", "window_status"]

_LEAST_HORIZON_SEC = 365 * DAY_SEC


@dataclass(frozen=True)
class WindowStatus:
    """The windows of a service *at* a moment (seconds of the Unix clock) by its *plan*: *desired* instances must run.
    The agents, or a deployment, last set it to *launched* instances, from *before*; *due* is the ``ready_by`` of that,
    0 for a closing, and *is_ready* whether all were in discovery. *upcoming*: the next change. *needed*: the lead time
    that the recorded starts need. *timezones*: those of the windows, by name, as far as they are known."""

    at: int
    plan: WindowPlan
    desired: int
    launched: int
    before: int
    due: int
    is_ready: bool
    upcoming: Change | None
    needed: LeadTime
    timezones: Mapping[str, str]

    @property
    def is_opening(self) -> bool:
        """Whether instances start that are not due yet."""
        return self.launched > self.before and not self.is_ready and self.at <= self.due

    @property
    def mark(self) -> str:
        """``12 until 04:30 CDT``, or ``4 -> 12 at 03:27 CDT``."""
        return mark_of(self.desired, self.plan.base, self.upcoming, self.at)

    def number_of(self, unit: str) -> int:
        """The number of the instance *unit*; 0 if it is none of this service's numbered ones."""
        before, _, after = self.plan.unit.partition("%")
        number = unit.removeprefix(before).removesuffix(after)
        return int(number) if unit == f"{before}{number}{after}" and number.isdecimal() else 0


def window_status(
    service: str, windows: ServiceWindows, release: ServiceRelease | None, records: Sequence[RolloutRecord], at: int
) -> WindowStatus | None:
    """The status of the *windows* of *service*; None without a plan. *release*: its part of the current release, and
    *records*: those of its rollouts."""
    plan, state = windows.plan, windows.state
    if plan is None:
        return None
    timezones = timezones_of(release.windows if release else ())
    return WindowStatus(
        at=at,
        plan=plan,
        desired=plan.desired(at),
        launched=state.after if state else plan.base,
        before=state.before if state else plan.base,
        due=state.due if state else 0,
        is_ready=state is None or state.ready is not None,
        upcoming=next_change(service, plan, at, timezones),
        needed=lead_time(records, windows.events),
        timezones=timezones,
    )


def window_problems(service: str, windows: WindowStatus, healthy: int, standby: int) -> Iterator[str]:
    """What is wrong with the *windows* of *service*, of which no rollout is under way: so many instances are *healthy*,
    and so many wait as *standby* instances."""
    plan, launched, at = windows.plan, windows.launched, windows.at
    desired = [running_at(plan, launched, moment) for moment in (at, at - RESPONSE_SEC)]
    if min(desired) > launched:
        why = "no agent opened the window"
        if any(series.machines for series in plan.series):
            why = f"the machines of the window are not in fleet, or {why}"
        yield (
            f"{service}: {windows.desired} instances must run now, and the machine agents started {launched}: {why}; "
            "`captain doctor` says which agents do not run"
        )
    elif max(desired) < launched:
        yield (
            f"{service}: {windows.desired} instances must run now, and {launched} run: no agent closed the window; "
            "`captain doctor` says which agents do not run"
        )
    elif launched > windows.before and not windows.is_ready and at > windows.due and healthy < launched:
        zone = next(iter(windows.timezones.values()), "UTC")
        yield (
            f"{service}: {launched} instances were due at {minute_in(windows.due, zone)}, and {healthy} are healthy; "
            f"`captain schedule {service}` shows the last windows"
        )
    missing = plan.most - max(launched, plan.base) - standby
    if missing > 0:
        all_of = plan.most - max(launched, plan.base)
        yield f"{service}: {missing} of its {all_of} standby instances are missing; `pulumi up` creates them"
    if is_too_short(plan.lead_sec, windows.needed):
        yield (
            f"{service}: its windows open {plan.lead_sec} s before ready_by, and by what starts take now they need "
            f"{windows.needed.lead_sec} s; `pulumi up` corrects it"
        )
    if plan.horizon - at < _LEAST_HORIZON_SEC:
        days = max(0, (plan.horizon - at) // DAY_SEC)
        yield f"{service}: the plan of its windows ends in {days} days; `pulumi up` renews it"
