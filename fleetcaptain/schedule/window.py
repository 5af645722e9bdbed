"""A window of a service: from when to when it needs more instances, in the time of a time zone. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from heapq import merge
from typing import Any

from fleetcaptain.untrusted import Fields, Unreadable

__all__ = [
    "DAYS",
    "MOST_DATES",
    "MOST_INSTANCES",
    "MOST_MACHINES",
    "MOST_WINDOWS",
    "WINDOW_NAME",
    "YEARS",
    "Interval",
    "WindowSpec",
    "desired",
    "desired_within",
    "intervals",
    "known_time_zones",
    "minute_of_day",
    "most_instances",
    "time_of_day",
    "time_zone",
    "warm_instances",
]

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_INSTANCES = 100
MOST_MACHINES = 100
MOST_WINDOWS = 10
"""Of one service."""
MOST_DATES = 100
"""Of one window."""
WINDOW_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,39}")
YEARS = range(2000, 3000)
"""The years that a date may be in: since then all zones differ from UTC by whole minutes."""
_TIME = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_DATE = re.compile("2[0-9]{3}-[0-9]{2}-[0-9]{2}")
_ZONE = re.compile("[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
# Names of files beside the time zones: the zone of the machine itself, and others that no place has.
_NO_ZONE = re.compile("localtime|posixrules|Factory|(posix|right)(/.*)?")
_DAY_MINUTES = 24 * 60
_DAY_SEC = 24 * 3600
_MINUTE_SEC = 60
_EPOCH = datetime(1970, 1, 1)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_EPOCH_WEEKDAY = _EPOCH.weekday()
# An occurrence begins at most 14 hours before midnight UTC of its day, and ends at most 60 hours after it.
_DAYS_BEFORE, _DAYS_AFTER = 2, 1


@dataclass(frozen=True)
class WindowSpec:
    """At *at_least* instances, healthy from *ready_by* until *until*, on some *days* (0: Monday) or *dates*.

    *ready_by* and *until* are minutes after midnight of the *timezone*; *until* up to *ready_by* is on the next day.
    *dates*: without *days*, and the other way round. *machines*: how many machines of its own it needs.
    """

    name: str
    at_least: int
    ready_by: int
    until: int
    days: tuple[int, ...]
    dates: tuple[date, ...]
    timezone: str
    machines: int = 0

    def to_data(self) -> dict[str, Any]:
        """The window as JSON data, as Pulumi's inputs and the record of a release have it."""
        when: dict[str, Any] = (
            {"dates": [day.isoformat() for day in self.dates]}
            if self.dates
            else {"days": " ".join(DAYS[day] for day in self.days)}
        )
        return {
            "name": self.name,
            "at_least": self.at_least,
            "ready_by": time_of_day(self.ready_by),
            "until": time_of_day(self.until),
            **when,
            "timezone": self.timezone,
            "machines": self.machines,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> WindowSpec:
        """The window that `to_data` wrote. Raises Unreadable. Whether the time zone exists is not checked: those who
        only read releases need no data of time zones."""
        fields = Fields(data)
        days = fields.text("days", default="").split()
        dates = tuple(map(_date, fields.texts("dates", _DATE)))
        if len(dates) > MOST_DATES:
            raise Unreadable(f"a window has more than {MOST_DATES} dates")
        if not set(days) <= set(DAYS) or len(set(days)) < len(days) or len(set(dates)) < len(dates):
            raise Unreadable("days or dates of a window are unknown or repeated")
        if bool(days) == bool(dates):
            raise Unreadable("a window must have either days or dates")
        ready_by, until = minute_of_day(fields.text("ready_by")), minute_of_day(fields.text("until"))
        if ready_by in (until, _DAY_MINUTES):
            raise Unreadable("a window has a ready_by of 24:00, or the same as its until")
        return cls(
            name=fields.text("name", WINDOW_NAME),
            at_least=fields.number("at_least", 1, MOST_INSTANCES),
            ready_by=ready_by,
            until=until,
            days=tuple(sorted(map(DAYS.index, days))),
            dates=tuple(sorted(dates)),
            timezone=fields.text("timezone", _ZONE),
            machines=fields.number("machines", 0, MOST_MACHINES),
        )


@dataclass(frozen=True)
class Interval:
    """One occurrence of *window*: ready from *start* until before *end*, seconds of the Unix clock."""

    window: WindowSpec
    start: int
    end: int


def intervals(windows: Iterable[WindowSpec], start: int, end: int) -> Iterator[Interval]:
    """The occurrences of *windows* that overlap *start* to *end* (seconds of the Unix clock), by their start. Raises
    Unreadable when this computer does not know a time zone."""
    return merge(*(_intervals_of(window, start, end) for window in windows), key=lambda interval: interval.start)


def desired(instances: int, windows: Sequence[WindowSpec], now: float, lead_sec: float = 0) -> int:
    """How many instances a service with so many *instances* needs at *now*: the most of all windows that are open then.
    Each opens *lead_sec* before its ``ready_by``. Raises Unreadable when this computer does not know a time zone."""
    most = instances
    for window in windows:
        if window.at_least > most and _is_open(window, now, lead_sec):
            most = window.at_least
    return most


def desired_within(instances: int, windows: Iterable[WindowSpec], start: float, end: float) -> int:
    """How many instances a service with so many *instances* needs at most at any time from *start* to *end* (seconds of
    the Unix clock). Raises Unreadable when this computer does not know a time zone."""
    return most_instances(instances, (found.window for found in intervals(windows, int(start), int(end) + 1)))


def most_instances(instances: int, windows: Iterable[WindowSpec]) -> int:
    """How many instances a service with so many *instances* has in its largest window."""
    return max([instances, *(window.at_least for window in windows)])


def warm_instances(instances: int, windows: Iterable[WindowSpec]) -> int:
    """As `most_instances`, of the windows that need no machines of their own: so many are placed beforehand."""
    return most_instances(instances, (window for window in windows if not window.machines))


def minute_of_day(text: str) -> int:
    """The minutes after midnight of *text*, ``00:00`` to ``24:00``. Raises Unreadable."""
    if not _TIME.fullmatch(text):
        raise Unreadable("a time is not one from 00:00 to 24:00")
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def time_of_day(minute: int) -> str:
    """``03:30`` for 210."""
    return f"{minute // 60:02}:{minute % 60:02}"


@lru_cache(maxsize=1024)
def time_zone(name: str) -> tzinfo:
    """The time zone *name*, by the machine's data, or where it has none by that of the package tzdata. Raises
    Unreadable."""
    # Imported here: an app that looks a service up reads no time zones.
    from zoneinfo import ZoneInfo

    if name == "UTC":
        return UTC
    try:
        if _ZONE.fullmatch(name) and not _NO_ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass
    raise Unreadable(f"this computer does not know the time zone {name!r}")


def known_time_zones() -> Collection[str]:
    """The names of all time zones that this computer knows."""
    from zoneinfo import available_timezones

    return sorted(name for name in available_timezones() if not _NO_ZONE.fullmatch(name))


def _is_open(window: WindowSpec, now: float, lead_sec: float) -> bool:
    return any(
        start - lead_sec <= now < end
        for day in range(int(now // _DAY_SEC), int((now + lead_sec) // _DAY_SEC) + 1)
        for start, end in _at_utc_day(window, day)
    )


@lru_cache(maxsize=8192)
def _at_utc_day(window: WindowSpec, day: int) -> tuple[tuple[int, int], ...]:
    """Start and end of the occurrences that overlap the *day* (since 1970) of UTC."""
    return tuple(
        (interval.start, interval.end) for interval in _intervals_of(window, day * _DAY_SEC, (day + 1) * _DAY_SEC)
    )


def _intervals_of(window: WindowSpec, start: int, end: int) -> Iterator[Interval]:
    length = window.until - window.ready_by
    if length <= 0:
        length += _DAY_MINUTES
    for day in _days_of(window, start // _DAY_SEC - _DAYS_BEFORE, end // _DAY_SEC + _DAYS_AFTER):
        opens = day * _DAY_MINUTES + window.ready_by
        first = _minute_at(window.timezone, opens, last=False)
        after = _minute_at(window.timezone, opens + length - 1, last=True) + _MINUTE_SEC
        # Both are the same for a window whose times do not exist on that day.
        if first < after and first < end and after > start:
            yield Interval(window, first, after)


def _days_of(window: WindowSpec, first: int, last: int) -> Iterator[int]:
    """The days (since 1970, local) from *first* to *last* that *window* is on."""
    if window.dates:
        listed = sorted(day.toordinal() - _EPOCH_ORDINAL for day in window.dates)
        yield from (day for day in listed if first <= day <= last)
    else:
        yield from (day for day in range(first, last + 1) if (day + _EPOCH_WEEKDAY) % 7 in window.days)


def _minute_at(timezone: str, wall: int, *, last: bool) -> int:
    """The first minute (seconds of the Unix clock) whose local time is *wall* (minutes since 1970) or later; or the
    *last* minute whose local time is *wall* or earlier."""
    of_day = _offset_of_day(timezone, wall // _DAY_MINUTES)
    local = wall * _MINUTE_SEC
    if of_day is not None:
        return local - of_day
    zone = time_zone(timezone)
    found = local - _offset_at_wall(zone, wall, last)
    if found + _offset_at(zone, found) == local:
        return found
    # The clocks go forward over this time: the minutes before and after that are between what both offsets give.
    before, after = (local - _offset_at_wall(zone, wall, fold) for fold in (True, False))
    while after - before > _MINUTE_SEC:
        middle = (before + after) // 2 // _MINUTE_SEC * _MINUTE_SEC
        if middle + _offset_at(zone, middle) < local:
            before = middle
        else:
            after = middle
    return before if last else after


@lru_cache(maxsize=8192)
def _offset_of_day(timezone: str, day: int) -> int | None:
    """By how many seconds local time is ahead of UTC during the whole local *day* (since 1970). None when it changes
    then, or at its midnights."""
    zone = time_zone(timezone)
    begins = _offset_at_wall(zone, day * _DAY_MINUTES, False)
    return begins if begins == _offset_at_wall(zone, (day + 1) * _DAY_MINUTES, True) else None


def _offset_at_wall(zone: tzinfo, wall: int, second: bool) -> int:
    """The offset at the local time *wall*, the *second* time if it happens twice."""
    local = (_EPOCH + timedelta(minutes=wall)).replace(tzinfo=zone, fold=int(second))
    return _seconds(local.utcoffset())


def _offset_at(zone: tzinfo, now: int) -> int:
    return _seconds(datetime.fromtimestamp(now, zone).utcoffset())


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else int(offset.total_seconds())


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unreadable("a date of a window does not exist") from None
