"""A window of a service: from when to when it needs more instances, in the time of a time zone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

__all__ = ["Interval", "WindowSpec", "desired", "desired_within", "intervals", "most_instances", "warm_instances"]


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
        raise NotImplementedError

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> WindowSpec:
        """The window that `to_data` wrote. Raises Unreadable."""
        raise NotImplementedError


@dataclass(frozen=True)
class Interval:
    """One occurrence of *window*: ready from *start* until before *end*, seconds of the Unix clock."""

    window: WindowSpec
    start: int
    end: int


def intervals(windows: Iterable[WindowSpec], start: int, end: int) -> Iterator[Interval]:
    """The occurrences of *windows* that overlap *start* to *end* (seconds of the Unix clock), by their start."""
    raise NotImplementedError


def desired_within(instances: int, windows: Iterable[WindowSpec], start: float, end: float) -> int:
    """How many instances a service with so many *instances* needs at most at any time from *start* to *end* (seconds of
    the Unix clock)."""
    return most_instances(instances, (found.window for found in intervals(windows, int(start), int(end) + 1)))


def most_instances(instances: int, windows: Iterable[WindowSpec]) -> int:
    """How many instances a service with so many *instances* has in its largest window."""
    return max([instances, *(window.at_least for window in windows)])


def warm_instances(instances: int, windows: Iterable[WindowSpec]) -> int:
    """As `most_instances`, of the windows that need no machines of their own: so many are placed beforehand."""
    return most_instances(instances, (window for window in windows if not window.machines))


def desired(instances: int, windows: Sequence[WindowSpec], now: float, lead_sec: float = 0) -> int:
    """How many instances a service with so many *instances* needs at *now*: the most of all windows that are open then.
    Each opens *lead_sec* before its ``ready_by``."""
    raise NotImplementedError
