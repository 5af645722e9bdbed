"""What the windows will do: when the number of instances of a service changes, and from how many to how many. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from fleetcaptain.history.duration import format_duration
from fleetcaptain.schedule.local_time import clock_in, day_and_clock_in, minute_in
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.schedule.window_plan import KEEP_SEC, Series, WindowPlan
from fleetcaptain.text_table import text_table

__all__ = [
    "DAY_SEC",
    "Change",
    "changes",
    "forecast",
    "format_forecast",
    "mark_of",
    "next_change",
    "running_at",
    "timezones_of",
    "what_of",
]

DAY_SEC = 24 * 3600
"""How far the forecast of a preview reaches, and how far `captain schedule` looks back and ahead."""

_WEEK_SEC = 8 * DAY_SEC
_MOST_LINES = 30
_UTC = "UTC"
_NO_TIMEZONES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Change:
    """*at* this time (seconds of the Unix clock) a *service* goes from *before* to *after* instances, because *windows*
    (their names) open, or close. *ready_by*: when the instances of an opening must be ready; 0 for a closing.
    *timezone*: that of the window, ``UTC`` if unknown. *machines*: how many machines of its own the window needs.
    *room*: which machines have room, in words; "" if that was not looked at."""

    at: int
    service: str
    before: int
    after: int
    windows: tuple[str, ...]
    ready_by: int
    timezone: str = _UTC
    machines: int = 0
    room: str = ""

    @property
    def opens(self) -> bool:
        """Whether instances are started."""
        return self.after > self.before


@dataclass(frozen=True)
class _Occurrence:
    """Open from *opens*, so that it is ready at *start*, until before *end*."""

    opens: int
    start: int
    end: int
    series: Series


def timezones_of(windows: Sequence[WindowSpec]) -> dict[str, str]:
    """Window -> its time zone. A plan in etcd has none: agents need none."""
    return {window.name: window.timezone for window in windows}


def changes(
    service: str, plan: WindowPlan, start: int, end: int, timezones: Mapping[str, str] = _NO_TIMEZONES
) -> tuple[Change, ...]:
    """The changes of *service* from *start* until before *end*: the change points of the union of all its windows.
    Instances that are needed again soon go on running. *timezones*: those of its windows, by name."""
    # What runs at *start* may do so for a window that was open before, and for one that opens after it.
    first = start - KEEP_SEC
    found = list(_occurrences(plan, first, end))
    edges = sorted({edge for one in found for edge in (one.opens, one.end) if first <= edge < end})
    result = []
    after = plan.desired(first - 1)
    for edge in edges:
        before, after = after, running_at(plan, after, edge)
        if after > before:
            causes = [one for one in found if one.opens == edge and one.series.at_least == after]
        else:
            causes = [one for one in found if one.end == edge and one.series.at_least == before]
        if edge < start or after == before or not causes:
            continue
        names = tuple(dict.fromkeys(one.series.name for one in causes))
        result.append(
            Change(
                edge,
                service,
                before,
                after,
                names,
                min(one.start for one in causes) if after > before else 0,
                timezones.get(names[0], _UTC),
                max(one.series.machines for one in causes),
            )
        )
    return tuple(result)


def running_at(plan: WindowPlan, running: int, now: float) -> int:
    """How many instances must run at *now*, when so many are *running*: of these as many go on as a window needs again
    within `KEEP_SEC`."""
    soon = replace(plan, lead_sec=plan.lead_sec + KEEP_SEC).desired(now)
    return max(plan.desired(now), min(running, soon))


def next_change(
    service: str, plan: WindowPlan, now: float, timezones: Mapping[str, str] = _NO_TIMEZONES
) -> Change | None:
    """The first change of *service* after *now*; None if its plan has none."""
    begin = int(now) + 1
    for end in (begin + _WEEK_SEC, max(begin + _WEEK_SEC, plan.horizon)):
        found = changes(service, plan, begin, end, timezones)
        if found:
            return found[0]
    return None


def forecast(
    plans: Mapping[str, WindowPlan],
    now: float,
    timezones: Mapping[str, Mapping[str, str]],
    room: Callable[[Change], str] = lambda _change: "",
) -> tuple[Change, ...]:
    """The changes of the next 24 hours of all *plans* (service -> its plan) in the order of time. *timezones*: service
    -> the time zones of its windows. *room* says which machines have room for the instances of an opening."""
    begin = int(now) + 1
    found = [
        replace(change, room=room(change)) if change.opens else change
        for service, plan in plans.items()
        for change in changes(service, plan, begin, begin + DAY_SEC, timezones.get(service, _NO_TIMEZONES))
    ]
    return tuple(sorted(found, key=attrgetter("at", "service")))


def format_forecast(found: Sequence[Change], now: float) -> str:
    """The changes *found* from *now* on, as a table of at most 30 lines."""
    if not found:
        return f"No window opens or closes in the next {format_duration(DAY_SEC)}."
    left_out = len(found) - (_MOST_LINES - 2)
    shown = found if left_out <= 0 else found[: _MOST_LINES - 3]
    # Without a cluster nothing is known of its room.
    room = any(change.room for change in shown)
    head = ("WHEN", "UTC", "IN", "SERVICE", "INSTANCES", "WINDOW", *(("ROOM",) if room else ()))
    lines = text_table(
        head,
        [
            (
                day_and_clock_in(change.at, change.timezone),
                clock_in(change.at, _UTC).removesuffix(f" {_UTC}"),
                format_duration(max(0, change.at - now)),
                change.service,
                f"{change.before} -> {change.after}",
                what_of(change),
                *((change.room,) if room else ()),
            )
            for change in shown
        ],
    )
    more = [f"and {len(found) - len(shown)} more; `captain schedule` lists all of them."] if left_out > 0 else []
    return "\n".join([f"Windows in the next {format_duration(DAY_SEC)}:", *lines, *more])


def what_of(change: Change) -> str:
    """The windows of *change*, and what it is for: ``megaquery, ready by 03:30 CDT``."""
    names = ", ".join(change.windows)
    if not change.opens:
        return f"{names} closes" if len(change.windows) == 1 else f"{names} close"
    machines = f", {change.machines} machines more" if change.machines else ""
    return f"{names}, ready by {clock_in(change.ready_by, change.timezone)}{machines}"


def mark_of(number: int, base: int, upcoming: Change | None, now: float) -> str:
    """How many instances a service with *base* has now, and until when: ``12 until 04:30 CDT``, or what comes next:
    ``4 -> 12 at 03:27 CDT``."""
    if upcoming is None:
        return f"{number}, no window ahead"
    distance = upcoming.at - now
    written = clock_in if distance < DAY_SEC else day_and_clock_in if distance < 6 * DAY_SEC else minute_in
    when = written(upcoming.at, upcoming.timezone)
    return f"{number} until {when}" if number > base else f"{upcoming.before} -> {upcoming.after} at {when}"


def _occurrences(plan: WindowPlan, start: int, end: int) -> Iterator[_Occurrence]:
    """The occurrences that are open at any time from *start* to *end*, or end at *start*."""
    for series in plan.series:
        step = max(1, series.step)
        first = max(0, -(-(start - series.length - series.start) // step))
        last = min(series.count - 1, (end - 1 + plan.lead_sec - series.start) // step)
        for number in range(first, last + 1):
            begin = series.start + number * series.step
            yield _Occurrence(begin - plan.lead_sec, begin, begin + series.length, series)
