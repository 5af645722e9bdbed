"""How long before its ``ready_by`` a window opens, by what starts took, and what cannot be ready in time. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.rollout_record import InstanceRecord, RolloutRecord, State
from fleetcaptain.schedule.local_time import minute_in
from fleetcaptain.schedule.window import WindowSpec, intervals, time_of_day
from fleetcaptain.schedule.window_event import DEPLOYMENT, WindowEvent
from fleetcaptain.schedule.window_plan import HORIZON_SEC

__all__ = ["LONGEST_LEAD_SEC", "LeadTime", "Unmeetable", "format_lead", "is_too_short", "lead_time", "unmeetable"]

LONGEST_LEAD_SEC = 6 * 3600
"""A window that has to open earlier than this cannot be met: most likely its service does not start at all."""

_EVALUATION_SEC = 60
"""The agents evaluate the windows once a minute."""
_TAKEOVER_SEC = 60
"""When the machine of the acting agent ends, another agent takes over within a minute."""
_ASSUMED_START_SEC = 60.0
_NEWEST = 50
_DAY_MINUTES = 24 * 60
# A window of nearly a day has its times in the wrong order, more likely than not.
_LONG_MINUTES = 20 * 60
_STEP_SEC = 10
_SHARE = 0.95
_STARTING = (State.STOPPED, State.STARTING)
_READY = (State.READY, State.DONE)


@dataclass(frozen=True)
class LeadTime:
    """Windows open *lead_sec* before their ``ready_by``. Of so many *starts* the median took *start_median_sec*; of
    those of rollouts, or of the openings of windows if that is longer, 95 % took at most *start_p95_sec*. Without
    starts both are an assumption. The machines of a window come earlier by themselves, and are in fleet by then."""

    start_median_sec: float
    start_p95_sec: float
    starts: int
    lead_sec: int


@dataclass(frozen=True)
class Unmeetable:
    """One sentence for each window that is certain to fail (*errors*) or not ready in time once (*warnings*)."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def lead_time(records: Sequence[RolloutRecord], events: Sequence[WindowEvent]) -> LeadTime:
    """The lead time of a service by the newest fifty starts in its *records* and *events*.

    An opening starts many instances at once, so it may take longer than each start of a rollout, and has a percentile
    of its own. A first version counts only while there is nothing else: its starts also pull the image.
    """
    openings = [opening for event in events for opening in _opening_of(event)]
    done = [record for record in records if record.state == "done"]
    starts = [start for record in done if record.before for start in _starts(record)]
    if not starts and not openings:
        starts = [start for record in done for start in _starts(record)]
    newest = sorted([(start, False) for start in starts] + [(opening, True) for opening in openings])[-_NEWEST:]
    of_rollouts = [seconds for (_, seconds), is_opening in newest if not is_opening]
    of_openings = [seconds for (_, seconds), is_opening in newest if is_opening]
    found = of_rollouts + of_openings
    p95 = max(_percentile(of_rollouts), _percentile(of_openings)) if found else _ASSUMED_START_SEC
    total = math.ceil(p95) + _EVALUATION_SEC + _TAKEOVER_SEC
    lead_sec = -(-total // _STEP_SEC) * _STEP_SEC
    return LeadTime(median(found) if found else _ASSUMED_START_SEC, p95, len(found), lead_sec)


def is_too_short(planned_sec: int, needed: LeadTime) -> bool:
    """Whether a window that opens *planned_sec* before its ``ready_by`` is late even if the acting agent's machine does
    not end. A rollout that starts a little slower than those before is no reason to deploy again."""
    return planned_sec < needed.lead_sec - _TAKEOVER_SEC


def format_lead(service: str, lead: LeadTime) -> str:
    """One sentence: how long before its ``ready_by`` a window of *service* opens, and why."""
    agents = _EVALUATION_SEC + _TAKEOVER_SEC
    return f"{service}: windows open {lead.lead_sec} s before ready_by: {_took(lead)}; agents act within {agents} s"


def unmeetable(service: str, windows: Sequence[WindowSpec], lead: LeadTime, now: float) -> Unmeetable:
    """What is wrong with *windows* of *service* at *now* (seconds of the Unix clock), with their *lead*. A lead that is
    longer than the pause between two occurrences is not wrong: the window stays open."""
    if lead.lead_sec > LONGEST_LEAD_SEC:
        names = ", ".join(window.name for window in windows)
        limit = f"{LONGEST_LEAD_SEC} s ({format_duration(LONGEST_LEAD_SEC)})"
        return Unmeetable(
            errors=(
                f"{service}: cannot be ready for {names}: it would have to open {lead.lead_sec} s before ready_by, "
                f"and the limit is {limit}: {_took(lead)}. Find the slow starts with `captain timeline`, and make the "
                "service start faster.",
            )
        )
    return Unmeetable(warnings=tuple(_warnings(service, windows, lead, int(now))))


def _warnings(service: str, windows: Sequence[WindowSpec], lead: LeadTime, now: int) -> Iterator[str]:
    for window in windows:
        if window.until < window.ready_by and _DAY_MINUTES - (window.ready_by - window.until) > _LONG_MINUTES:
            yield (
                f"{service}: the window {window.name} is open from {time_of_day(window.ready_by)} to "
                f"{time_of_day(window.until)} of the next day. If ready_by and until are in the wrong order, swap them."
            )
        ahead = (found for found in intervals([window], now, now + HORIZON_SEC) if found.end > now)
        first = next(ahead, None)
        later = [day for day in window.dates if day > datetime.fromtimestamp(now + HORIZON_SEC, UTC).date()]
        if first is None and later:
            yield (
                f"{service}: the window {window.name} is not planned yet: its next date, {min(later)}, is more than "
                "ten years ahead. Check the year."
            )
        elif first is None:
            why = "all its dates are past" if window.dates else "its hours do not occur on any of its days"
            yield f"{service}: the window {window.name} does not open any more: {why}. Remove it from the Fleetfile."
        elif now < first.start < now + lead.lead_sec:
            left = first.start - now
            yield (
                f"{service}: the window {window.name} must be ready at {minute_in(first.start, window.timezone)}, in "
                f"{left} s, and has to open {lead.lead_sec} s before: the first one will be up to "
                f"{lead.lead_sec - left} s late. To be on time, deploy at least {lead.lead_sec} s before ready_by."
            )


def _took(lead: LeadTime) -> str:
    if lead.starts:
        starts = "1 start" if lead.starts == 1 else f"{lead.starts} starts"
        return f"{starts} took {lead.start_median_sec:.0f} s (median) and {lead.start_p95_sec:.0f} s (95th percentile)"
    return f"no start is recorded yet, {lead.start_p95_sec:.0f} s are assumed"


def _opening_of(event: WindowEvent) -> Iterator[tuple[float, float]]:
    """(when, seconds) if *event* is an opening that ended, by an agent: a deployment's is written when all is ready. An
    agent writes one without a ``ready_by``, at once, when the number of instances changed for no window."""
    if event.after > event.before and event.due and event.ready is not None and event.by != DEPLOYMENT:
        yield event.at, event.ready - event.at


def _starts(record: RolloutRecord) -> Iterator[tuple[float, float]]:
    """(when, seconds) of each start in *record*."""
    try:
        began = datetime.fromisoformat(record.since).timestamp()
    except (ValueError, OverflowError):
        return  # another program wrote it
    for instance in record.instances.values():
        yield from ((began + at, seconds) for at, seconds in _starts_of(instance))


def _starts_of(instance: InstanceRecord) -> Iterator[tuple[float, float]]:
    """(second, seconds) of each start of *instance*: from the moment at which nothing of it ran until it was ready. The
    stop before is no part of it: a standby instance has nothing to stop. A start after a failure is none either."""
    begun: float | None = None
    for at, state in instance.states:
        if state in _STARTING:
            begun = at if begun is None else begun
            continue
        if state in _READY and begun is not None:
            yield begun, at - begun
        begun = None


def _percentile(seconds: Sequence[float]) -> float:
    """The smallest of *seconds* that 95 % of them do not exceed; 0 without any."""
    return sorted(seconds)[math.ceil(len(seconds) * _SHARE) - 1] if seconds else 0.0
