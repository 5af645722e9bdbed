"""When the machines of windows come and go: the scheduled actions of their Auto Scaling groups. Pure.

There is one group for the windows by days of each time zone, and one for those by dates. So no two actions of a group
have the same time, which AWS refuses, and none ends what another one has begun. A service with windows in several
groups may get more machines than it needs while they overlap, never fewer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from itertools import pairwise

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleetfile.values import App
from fleetcaptain.schedule.window import DAYS, WindowSpec, intervals, time_of_day, time_zone

__all__ = ["LEAST_LEAD_SEC", "MOST_CHANGES", "SizeChange", "WindowGroup", "machine_lead_sec", "window_groups"]

LEAST_LEAD_SEC = 420
"""How long before the ``ready_by`` of a window its machines are launched, but for the start of the instances: AWS may
be two minutes late, a machine is assumed to take three minutes until it is in fleet, and the agents two until they act.
"""

MOST_CHANGES = 125
"""The most scheduled actions that AWS allows for a group."""

_MINUTE, _DAY = 60, 24 * 3600
_WEEK = 7 * 24 * 60
# The Unix clock began on a Thursday, a week begins on Monday.
_MONDAY = 3 * 24 * 60
# As far as a plan of windows reaches.
_YEARS = 10
# A deployment that begins so shortly before machines come may change the group only after that.
_SOON_SEC = 300
# Longer than any window with its lead.
_AROUND = 4 * _DAY

Services = Sequence[Sequence[WindowSpec]]


@dataclass(frozen=True)
class SizeChange:
    """A scheduled action: from this time on the group has *size* machines. Either a *recurrence* (cron) in the group's
    time zone, or once at the time *start* (RFC 3339, UTC). *name*: the time. So a changed window never creates an
    action at the time of another one that still exists."""

    name: str
    size: int
    recurrence: str = ""
    start: str = ""


@dataclass(frozen=True)
class WindowGroup:
    """A group of machines of windows. *timezone*: of the recurrences, "" if there are none. It has *most* machines at
    most, and must have *now*, or in the next five minutes. *changes* are in the order of their time."""

    name: str
    timezone: str
    most: int
    now: int
    changes: tuple[SizeChange, ...]


def machine_lead_sec(app: App) -> int:
    """How long before their ``ready_by`` the windows of *app* get their machines, in seconds. An instance pulls its
    image and starts within ``start_sec``, or fails. By what starts really took each deployment would move the actions.
    """
    return LEAST_LEAD_SEC + max((spec.start_sec for spec in app.services if spec.scale), default=0)


def window_groups(services: Services, now: float, lead_sec: int) -> tuple[WindowGroup, ...]:
    """The groups for the windows of *services* that have machines, launched *lead_sec* seconds before each
    ``ready_by``. *now*: seconds of the Unix clock; actions of the past are left out.

    A service needs the most machines of its open windows; what several services need at the same time is added up.
    Raises ClusterRefused for more changes than AWS allows, and Unreadable for an unknown time zone.
    """
    with_machines = [window for windows in services for window in windows if window.machines]
    zones = sorted({window.timezone for window in with_machines if window.days})
    groups = [_by_days(zone, _only(services, zone), now, lead_sec) for zone in zones]
    if any(window.dates for window in with_machines):
        groups.append(_by_dates(_only(services, ""), now, lead_sec))
    problems = [
        f"the number of machines in the group {group.name} changes {len(group.changes)} times, and AWS allows "
        f"{MOST_CHANGES}. Give several windows the same times, or machines= to fewer of them"
        for group in groups
        if len(group.changes) > MOST_CHANGES
    ]
    if problems:
        raise ClusterRefused("Cannot schedule the machines of windows. Nothing was changed:", problems)
    return tuple(groups)


def _only(services: Services, zone: str) -> Services:
    """The windows with machines by days in the time *zone*; "": those by dates."""
    return [
        [window for window in windows if window.machines and (window.timezone if window.days else "") == zone]
        for windows in services
    ]


def _by_days(name: str, services: Services, now: float, lead_sec: int) -> WindowGroup:
    zone = time_zone(name)
    begin = int(datetime(datetime.fromtimestamp(now, UTC).year, 1, 1, tzinfo=UTC).timestamp())
    clock_changes = _clock_changes(zone, begin, begin + _YEARS * 366 * _DAY)
    levels = _steady(_week(zone, services, clock_changes, lead_sec), _unclear(zone, clock_changes))
    changes = []
    for minute, size in enumerate(levels):
        if size != levels[minute - 1]:
            day, of_day = divmod(minute, 24 * 60)
            hour, of_hour = divmod(of_day, 60)
            label = f"{DAYS[day].lower()}-{time_of_day(of_day).replace(':', '')}"
            changes.append(SizeChange(label, size, recurrence=f"{of_hour} {hour} * * {(day + 1) % 7}"))
    # Etc/GMT+5 is not Etc/GMT-5.
    part = re.sub("[^a-z0-9]+", "-", name.lower().replace("+", "-plus-")).strip("-")
    soon = range(int(now), int(now) + _SOON_SEC + 1, _MINUTE)
    return WindowGroup(
        f"windows-{part}", name, max(levels), max(levels[_wall(zone, at)] for at in soon), tuple(changes)
    )


def _week(zone: tzinfo, services: Services, clock_changes: Sequence[int], lead_sec: int) -> list[int]:
    """How many machines *services* need at most in each minute of the local week, in any week of the next years."""
    # Every week is like any other one, but for the days around a change of the clocks.
    before, after = max(pairwise(clock_changes), key=lambda pair: pair[1] - pair[0])
    spans = [((before + after) // 2, 7 * _DAY), *((change, _AROUND) for change in clock_changes)]
    needed = [0] * _WEEK
    for windows in services:
        most = [0] * _WEEK
        for window in windows:
            for at, around in spans:
                for interval in intervals([window], at - around, at + around):
                    for minute in _minutes(zone, interval.start - lead_sec, interval.end, clock_changes):
                        most[minute] = max(most[minute], window.machines)
        needed = [one + other for one, other in zip(needed, most, strict=True)]
    return needed


def _minutes(zone: tzinfo, start: int, end: int, clock_changes: Sequence[int]) -> Iterator[int]:
    """The minutes of the local week from *start* to *end*."""
    first = start // _MINUTE * _MINUTE
    inside = [change for change in clock_changes if first < change < end]
    for begins, ends in pairwise([first, *inside, end]):
        local = _wall(zone, begins)
        yield from (minute % _WEEK for minute in range(local, local + (ends - begins) // _MINUTE))


def _clock_changes(zone: tzinfo, begin: int, end: int) -> list[int]:
    """When the clocks of *zone* change between *begin* and *end*, which are the first and the last of the list."""
    found = [begin]
    for day in range(begin, end, _DAY):
        before, after = day, day + _DAY
        if _offset(zone, before) != _offset(zone, after):
            while after - before > _MINUTE:
                middle = (before + after) // 2 // _MINUTE * _MINUTE
                before, after = (middle, after) if _offset(zone, middle) == _offset(zone, day) else (before, middle)
            found.append(after)
    return [*found, end]


def _unclear(zone: tzinfo, clock_changes: Sequence[int]) -> set[int]:
    """The minutes of the local week that some week does not have, or has twice."""
    found: set[int] = set()
    for change in clock_changes[1:-1]:
        sides = sorted((change + _offset(zone, change - _MINUTE), change + _offset(zone, change)))
        found.update(minute % _WEEK for minute in range(*(side // _MINUTE + _MONDAY for side in sides)))
    return found


def _steady(levels: Sequence[int], unclear: Collection[int]) -> list[int]:
    """*levels* without a change in an *unclear* minute, in which AWS might not act, or act twice: machines come before
    such minutes, and go after them."""
    steady = list(levels)
    for first in (minute - 1 for minute in unclear if (minute - 1) % _WEEK not in unclear):
        last = first
        while (last + 1) % _WEEK in unclear:
            last += 1
        run = [minute % _WEEK for minute in range(first, last + 1)]
        most = max(levels[minute] for minute in run)
        for minute in run:
            steady[minute] = most
    return steady


def _wall(zone: tzinfo, at: int) -> int:
    """The minute of the local week at the time *at*."""
    return ((at + _offset(zone, at)) // _MINUTE + _MONDAY) % _WEEK


def _offset(zone: tzinfo, at: int) -> int:
    """By how many seconds local time is ahead of UTC."""
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _by_dates(services: Services, now: float, lead_sec: int) -> WindowGroup:
    spans = [[*_dated(windows, lead_sec)] for windows in services]

    def level(at: float) -> int:
        open_now = ([size for begins, ends, size in one if begins <= at < ends] for one in spans)
        return sum(max(sizes, default=0) for sizes in open_now)

    times = sorted({time for one in spans for begins, ends, _ in one for time in (begins, ends)})
    levels = [level(time) for time in times]
    changes = [
        _once(time, size)
        for time, size, before in zip(times, levels, [0, *levels], strict=False)
        if size != before and time > now
    ]
    soon = [level(at) for at in (now, *times) if now <= at <= now + _SOON_SEC]
    # Also of the past, so that the group does not change when a date is over.
    return WindowGroup("windows-dates", "", max(levels, default=0), max(soon), tuple(changes))


def _dated(windows: Sequence[WindowSpec], lead_sec: int) -> Iterator[tuple[int, int, int]]:
    """Begin, end and machines of each occurrence of *windows*, which are by dates."""
    for window in windows:
        first, last = (
            int(datetime.combine(day, time(), UTC).timestamp()) for day in (min(window.dates), max(window.dates))
        )
        for interval in intervals([window], first - _AROUND, last + _AROUND):
            yield (interval.start - lead_sec) // _MINUTE * _MINUTE, interval.end, window.machines


def _once(at: int, size: int) -> SizeChange:
    moment = datetime.fromtimestamp(at, UTC)
    return SizeChange(f"{moment:%Y-%m-%d-%H%M}", size, start=f"{moment:%Y-%m-%dT%H:%M:%SZ}")
