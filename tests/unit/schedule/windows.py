"""Windows for tests, and the oracle of when they are open: local time, read minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from fleetcaptain.schedule.window import WindowSpec

EVERY_DAY = tuple(range(7))
# Each zone, and dates around which its clocks change (or, in Kolkata, February has 29 days).
CHANGES: dict[str, tuple[date, ...]] = {
    "America/Chicago": (date(2026, 3, 8), date(2026, 11, 1), date(2027, 3, 14)),
    "Europe/London": (date(2026, 3, 29), date(2026, 10, 25)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Asia/Kolkata": (date(2028, 2, 29), date(2026, 12, 31)),
    "Pacific/Apia": (date(2011, 12, 30), date(2012, 4, 1)),
    "America/Sao_Paulo": (date(2018, 2, 18), date(2018, 11, 4)),
}


def window(**given: object) -> WindowSpec:
    """A window with the fields *given*."""
    fields = {"name": "peak", "at_least": 12, "ready_by": 210, "until": 270, "dates": (), "timezone": "UTC"}
    days = () if given.get("dates") else EVERY_DAY
    return WindowSpec(**{**fields, "days": days, **given})  # type: ignore[arg-type]


def at(text: str) -> int:
    """Seconds of the Unix clock of an ISO time; without an offset, in UTC."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def minutes(first: int, last: int) -> Iterator[int]:
    """Each whole minute of the Unix clock from *first* to before *last* (seconds)."""
    return iter(range(first // 60 * 60, last, 60))


@lru_cache
def _walls(timezone: str, first: int, last: int) -> dict[int, datetime]:
    """The clock on the wall at each minute."""
    zone = ZoneInfo(timezone)
    return {minute: datetime.fromtimestamp(minute, zone).replace(tzinfo=None) for minute in minutes(first, last)}


def open_minutes(spec: WindowSpec, around: date, lead_sec: int = 0) -> set[int]:
    """The minutes from two days before *around* to two days after at which *spec* is open, found by reading the clock
    on the wall of its zone once a minute."""
    middle = at(around.isoformat())
    wall = _walls(spec.timezone, middle - 6 * 86400, middle + 9 * 86400)
    found: set[int] = set()
    for offset in range(-5, 6):
        day = around + timedelta(days=offset)
        if not (day in spec.dates or day.weekday() in spec.days):
            continue
        midnight = datetime.combine(day, time.min)
        opens = midnight + timedelta(minutes=spec.ready_by)
        closes = midnight + timedelta(minutes=spec.until, days=spec.until <= spec.ready_by)
        near = range(middle + (offset - 1) * 86400, middle + (offset + 3) * 86400, 60)
        first = next(minute for minute in near if wall[minute] >= opens)
        last = next(minute for minute in reversed(near) if wall[minute] < closes)
        if first <= last:
            found |= set(minutes(first - lead_sec, last + 60))
    return found & set(minutes(middle - 2 * 86400, middle + 2 * 86400))


_times = st.one_of(st.integers(0, 1439), st.sampled_from([0, 1, 30, 59, 60, 90, 119, 120, 121, 150, 180, 1380, 1439]))


@st.composite
def specs(draw: st.DrawFn, timezone: str, around: date) -> WindowSpec:
    """A window of *timezone*, on days of the week or on dates near *around*."""
    ready_by = draw(_times)
    until = draw(st.one_of(_times, st.just(1440)).filter(lambda minute: minute != ready_by))
    days = draw(st.one_of(st.just(EVERY_DAY), st.sets(st.integers(0, 6), min_size=1).map(sorted).map(tuple)))
    near = st.integers(-4, 4).map(lambda offset: around + timedelta(days=offset))
    dates = draw(st.one_of(st.just(()), st.sets(near, min_size=1, max_size=4).map(sorted).map(tuple)))
    at_least, machines = draw(st.integers(2, 100)), draw(st.integers(0, 3))
    return window(
        at_least=at_least,
        ready_by=ready_by,
        until=until,
        days=() if dates else days,
        dates=dates,
        timezone=timezone,
        machines=machines,
    )


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, date]:
    """A time zone, and a date on which its clocks change."""
    timezone = draw(st.sampled_from(sorted(CHANGES)))
    return timezone, draw(st.sampled_from(CHANGES[timezone]))
