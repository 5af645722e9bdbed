"""The plan of a service's windows, as etcd keeps it for the machine agents: times of the Unix clock. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache

from fleetcaptain.schedule.window import (
    DAYS,
    MOST_INSTANCES,
    MOST_MACHINES,
    WINDOW_NAME,
    Interval,
    WindowSpec,
    intervals,
    most_instances,
    warm_instances,
)
from fleetcaptain.untrusted import Unreadable

__all__ = ["HORIZON_SEC", "KEEP_SEC", "Series", "WindowPlan", "plan_of"]

HORIZON_SEC = 10 * 366 * 86400
"""How far ahead a plan reaches. Agents have no data of time zones, and an app may not be deployed for years."""
_DAY_SEC = 86400
_COMPARED_SEC = 366 * _DAY_SEC
_RENEWED_BELOW_SEC = HORIZON_SEC - 366 * _DAY_SEC
_WEEK_SEC = 7 * _DAY_SEC
# Ten windows, each of six days in a zone that changes its time four times a year, are some 170,000 characters.
_LONGEST = 256 * 1024
_LATEST = 10**11
_UNIT = re.compile(r"(?=.{3,255}\Z)[A-Za-z0-9_:.@-]*%[A-Za-z0-9_:.@-]*")
_HEAD = re.compile("v1 unit=([^ ]+) base=([^ ]+) most=([^ ]+) warm=([^ ]+) lead=([^ ]+) horizon=([^ ]+)")
# A leading zero would make it octal for the shell.
_NUMBER = re.compile("0|[1-9][0-9]{0,10}")
_FIELDS = 7

KEEP_SEC = 600
"""An instance goes on running if a window needs it again within this time, lead time included."""


@dataclass(frozen=True)
class Series:
    """The occurrences *start* + k * *step*, for k below *count*, each *length* long (seconds), of the window *name*:
    *at_least* instances, and *machines* of its own."""

    start: int
    step: int
    count: int
    length: int
    at_least: int
    machines: int
    name: str


@dataclass(frozen=True)
class WindowPlan:
    """What the machine agents need to open and close the windows of one service.

    *unit*: the name of its units, with ``%`` for the number. Numbers up to *base* always run; numbers up to *most* are
    on the cluster. Those up to *warm* wait as ``loaded``, the others as ``inactive``. Windows open *lead_sec* before
    their start. *horizon*: until when the *series* are complete (seconds of the Unix clock).
    """

    unit: str
    base: int
    most: int
    warm: int
    lead_sec: int
    horizon: int
    series: tuple[Series, ...]

    def to_text(self) -> str:
        """``v1 unit=web@%.service base=4 most=12 warm=12 lead=180 horizon=2110000000`` and, each after a ``;``, the
        series: ``START:STEP:COUNT:LENGTH:AT_LEAST:MACHINES:NAME``. It has no quotes, backslashes and line ends, so that
        the shell can take it out of etcd's JSON."""
        head = (
            f"v1 unit={self.unit} base={self.base} most={self.most} warm={self.warm} lead={self.lead_sec}"
            f" horizon={self.horizon}"
        )
        return ";".join([head, *(":".join(map(str, astuple(series))) for series in self.series)])

    @classmethod
    def from_text(cls, text: str) -> WindowPlan:
        """Parse *text*. Raises Unreadable. The same text gives the same plan: a rollout reads it twice a second."""
        return _parsed(text)

    @classmethod
    def _of(cls, text: str) -> WindowPlan:
        if len(text) > _LONGEST:
            raise Unreadable(f"it has {len(text)} characters; the limit is {_LONGEST}")
        head, *series = text.split(";")
        found = _HEAD.fullmatch(head)
        if not found or not _UNIT.fullmatch(found[1]):
            raise Unreadable("it is not a plan of windows of version 1")
        base = _number("base", found[2], 1, MOST_INSTANCES)
        most = _number("most", found[3], base, MOST_INSTANCES)
        return cls(
            unit=found[1],
            base=base,
            most=most,
            warm=_number("warm", found[4], base, most),
            lead_sec=_number("lead", found[5], 0, _WEEK_SEC),
            horizon=_number("horizon", found[6], 0, _LATEST),
            series=tuple(_series_of(entry, most) for entry in series),
        )

    @property
    def extra_names(self) -> tuple[str, ...]:
        """The units that only windows need."""
        return tuple(self.unit.replace("%", str(number)) for number in range(self.base + 1, self.most + 1))

    def desired(self, now: float) -> int:
        """How many instances must run at *now*, as the agents compute it."""
        return max([self.base, *(series.at_least for series, _ in self._open(now))])

    def needed(self, now: float) -> tuple[int, int]:
        """How many instances must run at *now*, and the ``ready_by`` of the window that needs so many, 0 if none does,
        as the agents compute them. Windows with machines of their own are left out: the agents wait for these."""
        found = [(series.at_least, -start) for series, start in self._open(now) if not series.machines]
        instances, due = max(found, default=(self.base, 0))
        return (instances, -due) if instances > self.base else (self.base, 0)

    def follows(self, windows: Sequence[WindowSpec], now: int) -> bool:
        """Whether this is a plan of *windows* that need not be renewed: it reaches far enough, and in the next year has
        their occurrences, by the data of time zones of this computer. Raises Unreadable when that lacks a zone."""
        end = now + _COMPARED_SEC
        planned = {
            (start, start + series.length, series.at_least, series.machines, series.name)
            for series in self.series
            for start in range(series.start, series.start + series.count * series.step, series.step)
            if start < end and start + series.length > now
        }
        found = {
            (interval.start, interval.end, window.at_least, window.machines, window.name)
            for interval in intervals(windows, now, end)
            for window in [interval.window]
        }
        return planned == found and self.horizon >= now + _RENEWED_BELOW_SEC

    def _open(self, now: float) -> Iterator[tuple[Series, int]]:
        """Each series of which an occurrence is open, and its start. Of those that have begun, the last one ends last
        too."""
        for series in self.series:
            last = int(min((now + self.lead_sec - series.start) // series.step, series.count - 1))
            start = series.start + last * series.step
            if last >= 0 and now < start + series.length:
                yield series, start


@lru_cache(maxsize=256)
def _parsed(text: str) -> WindowPlan:
    return WindowPlan._of(text)


def plan_of(unit: str, base: int, windows: Sequence[WindowSpec], lead_sec: int, now: int) -> WindowPlan:
    """The plan of *windows* from *now* on. Occurrences that repeat weekly are one series. Raises Unreadable when this
    computer does not know a time zone."""
    horizon = now + HORIZON_SEC
    return WindowPlan(
        unit=unit,
        base=base,
        most=most_instances(base, windows),
        warm=warm_instances(base, windows),
        lead_sec=lead_sec,
        horizon=horizon,
        series=tuple(
            series
            for window in windows
            # A window that starts after the horizon may open before it.
            for series in _repeated(window, intervals([window], now, horizon + lead_sec))
        ),
    )


def _repeated(window: WindowSpec, found: Iterator[Interval]) -> list[Series]:
    """The occurrences of *window* as few series: daily ones if it is on every day or on dates."""
    step = _DAY_SEC if window.dates or len(window.days) == len(DAYS) else _WEEK_SEC
    series: list[Series] = []
    # (start, length) of the next occurrence of a series -> its place in the list.
    following: dict[tuple[int, int], int] = {}
    for interval in found:
        length = interval.end - interval.start
        place = following.pop((interval.start, length), len(series))
        if place == len(series):
            series.append(Series(interval.start, step, 0, length, window.at_least, window.machines, window.name))
        series[place] = replace(series[place], count=series[place].count + 1)
        following[interval.start + step, length] = place
    return series


def _series_of(text: str, most: int) -> Series:
    fields = text.split(":")
    if len(fields) != _FIELDS or not WINDOW_NAME.fullmatch(fields[-1]):
        raise Unreadable("it has a series that is not START:STEP:COUNT:LENGTH:AT_LEAST:MACHINES:NAME")
    start, step, count, length, at_least, machines, name = fields
    return Series(
        start=_number("start", start, 0, _LATEST),
        step=_number("step", step, 1, _LATEST),
        count=_number("count", count, 1, _LATEST),
        length=_number("length", length, 1, _LATEST),
        at_least=_number("at_least", at_least, 1, most),
        machines=_number("machines", machines, 0, MOST_MACHINES),
        name=name,
    )


def _number(what: str, text: str, low: int, high: int) -> int:
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise Unreadable(f"{what} is not an integer from {low} to {high}")
    return int(text)
