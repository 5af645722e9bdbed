"""What a deployment says and does about windows: the next 24 hours in a preview, and a ``ready_by`` that is near."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine import diagnostics
from components.engine.abort import abort
from fleetcaptain.errors import FleetCaptainError, UnitRefused
from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.rollout_record import OPERATIONS, RolloutRecord
from fleetcaptain.history.stored_records import read_records
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.placement import admits
from fleetcaptain.schedule.forecast import Change, changes, forecast, format_forecast, timezones_of
from fleetcaptain.schedule.lead_time import LeadTime, format_lead, lead_time, unmeetable
from fleetcaptain.schedule.local_time import minute_in
from fleetcaptain.schedule.stored_windows import read_windows
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.schedule.window_plan import plan_of
from fleetcaptain.units.names import instance_names

__all__ = ["KnownWindows", "WindowPolicy", "announce_windows", "hold_for_windows", "known_windows"]

# How long a deployment takes of which no record tells.
_ASSUMED_SEC = 600.0
_LAST = 3
_LOOK_SEC = 5.0


class WindowPolicy(StrEnum):
    """What a deployment does that may still run when a window has to be ready: ``fleetcaptain:windows``."""

    WARN = "warn"
    WAIT = "wait"
    IGNORE = "ignore"

    @classmethod
    def parse(cls, text: str) -> WindowPolicy:
        """The policy that *text* is. Raises ValueError."""
        if text not in set(cls):
            raise ValueError(f"fleetcaptain:windows must be {', '.join(cls)}, not {text!r}")
        return cls(text)


@dataclass(frozen=True)
class KnownWindows:
    """What the cluster has of the app: the *records* of its rollouts, the *events* of its windows, service -> those,
    and its *snapshot*, None of a cluster that does not answer or does not exist yet."""

    records: tuple[RolloutRecord, ...] = ()
    events: Mapping[str, tuple[WindowEvent, ...]] | None = None
    snapshot: Snapshot | None = None

    def lead(self, service: str) -> LeadTime:
        """The lead time of the windows of *service*."""
        records = [record for record in self.records if record.service == service]
        return lead_time(records, (self.events or {}).get(service, ()))

    @property
    def usual_sec(self) -> float:
        """How long a deployment takes: the sum of the last rollouts of the services that gave them another text; 0 if
        no record says."""
        took: dict[str, list[float]] = {}
        for record in self.records:
            replaces = record.before and record.before != (record.to,) and record.strategy not in OPERATIONS
            if record.state == "done" and replaces:
                took.setdefault(record.service, []).append(record.seconds)
        return sum(median(seconds[-_LAST:]) for seconds in took.values())

    def running(self, service: str) -> int:
        """How many instances of *service* run because of its windows, as the machine agents know; 0 if they do not."""
        windows = self.snapshot.windows.get(service) if self.snapshot else None
        return windows.state.after if windows is not None and windows.state is not None else 0

    def base(self, service: str) -> int:
        """How many instances of *service* run without its windows, as the machine agents know; 0 if they do not."""
        plan = self.snapshot.window_plan(service) if self.snapshot else None
        return plan.base if plan is not None else 0

    def opens(self, change: Change) -> bool:
        """Whether the machine agents make *change* without this deployment, by the plan that they have."""
        plan = self.snapshot.window_plan(change.service) if self.snapshot else None
        return plan is not None and plan.desired(change.ready_by) >= change.after


def known_windows(connection: Any, app: str, parts: Sequence[Part]) -> KnownWindows:
    """What the cluster has of the windows of *app*; it is read only if *parts* have some. *connection* is unknown, and
    no mapping, before the cluster exists."""
    if not any(part.windows for part in parts):
        return KnownWindows()
    if not isinstance(connection, Mapping) or handle_of(connection).presence() is not Presence.THERE:
        return KnownWindows()
    try:
        cluster = handle_of(connection).connect(app)
        events = {service: windows.events for service, windows in read_windows(cluster.store, app)[0].items()}
        return KnownWindows(read_records(cluster.store, app)[0], events, cluster.snapshot_for_refresh())
    except FleetCaptainError:
        return KnownWindows()  # the next operation reports it


def announce_windows(known: KnownWindows, parts: Sequence[Part], clock: Callable[[], float] = time.time) -> None:
    """In a preview: the windows of *parts* in the next 24 hours, and how long before they open. Ends the program when
    one cannot be met."""
    parts = [part for part in parts if part.windows]
    if not parts:
        return
    now = int(clock())
    plans, errors = {}, list[str]()
    for part in parts:
        lead = known.lead(part.service)
        diagnostics.info(format_lead(part.service, lead))
        running, usual = known.running(part.service), known.base(part.service)
        if running > usual:
            diagnostics.info(
                f"{part.service}: {running} instances run now, {running - usual} of them for its windows; an update "
                "replaces all of them"
            )
        errors += unmeetable(part.service, part.windows, lead, now).errors
        # One that is open already is in time.
        coming = [window for window in part.windows if window.at_least > running]
        for warning in unmeetable(part.service, coming, lead, now).warnings:
            diagnostics.warn(warning)
        plans[part.service] = plan_of(f"{part.service}@%.service", part.instances, part.windows, lead.lead_sec, now)
    if errors:
        abort(UnitRefused("Windows cannot be met. Nothing was changed:", errors))
    zones = {part.service: timezones_of(part.windows) for part in parts}
    room = _room(parts, known.snapshot)
    diagnostics.info(format_forecast(forecast(plans, now, zones, room), now))


def hold_for_windows(
    known: KnownWindows,
    parts: Sequence[Part],
    policy: WindowPolicy,
    *,
    dry_run: bool,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Warn of a window that has to be ready while this deployment may still run, or wait until no window has to be, by
    *policy*. What may still run then is judged by the last deployments. A window that only this deployment brings is
    not waited for: it opens the window."""
    if policy is WindowPolicy.IGNORE or not any(part.windows for part in parts):
        return
    now = clock()
    usual = known.usual_sec or _ASSUMED_SEC
    takes = "a deployment takes about" if known.usual_sec else "no record says how long a deployment takes, assumed are"
    # A deployment that waited for one window may run into the next one.
    while (near := _near(parts, known, now, now + usual)) is not None:
        when = minute_in(near.ready_by, near.timezone)
        what = f"{near.service} must have {near.after} instances at {when}, and {takes} {format_duration(round(usual))}"
        if policy is WindowPolicy.WAIT and not dry_run:
            diagnostics.info(f"{what}: waiting until then")
            while (now := clock()) < near.ready_by:
                sleep(_LOOK_SEC)
            continue
        advice = "It waits until then." if policy is WindowPolicy.WAIT else "It opens the window itself, perhaps late."
        diagnostics.warn(f"{what}. {advice} See `fleetcaptain:windows` in docs/scaling.md.")
        if policy is WindowPolicy.WARN:
            return
        now = near.ready_by


def _near(parts: Sequence[Part], known: KnownWindows, now: float, end: float) -> Change | None:
    """The first opening by the machine agents that has to be ready between *now* and *end*."""
    found = [
        change
        for part in parts
        if part.windows
        for lead in [known.lead(part.service).lead_sec]
        for plan in [plan_of(f"{part.service}@%.service", part.instances, part.windows, lead, int(now))]
        for change in changes(part.service, plan, int(now) - lead, int(end), timezones_of(part.windows))
        if change.opens and now < change.ready_by < end and known.opens(change)
    ]
    return min(found, key=lambda change: change.ready_by, default=None)


def _room(parts: Sequence[Part], snapshot: Snapshot | None) -> Callable[[Change], str]:
    """Which machines fleet's rules admit for the instances of a change, in words."""
    units = {part.service: part.unit for part in parts}

    def room(change: Change) -> str:
        if snapshot is None:
            return ""
        unit, name = units[change.service], instance_names(change.service, change.after)[-1]
        machines = snapshot.machines.values()
        return f"on {sum(admits(name, unit, machine) for machine in machines)} of {len(machines)} machines"

    return room
