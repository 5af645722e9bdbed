"""The plan of a service's windows, as etcd keeps it for the machine agents: times of the Unix clock. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fleetcaptain.schedule.window import WindowSpec

__all__ = ["HORIZON_SEC", "KEEP_SEC", "Series", "WindowPlan", "plan_of"]

HORIZON_SEC = 10 * 366 * 86400
"""How far ahead a plan reaches. Agents have no data of time zones, and an app may not be deployed for years."""

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
        raise NotImplementedError

    @classmethod
    def from_text(cls, text: str) -> WindowPlan:
        """Parse *text*. Raises Unreadable."""
        raise NotImplementedError

    def desired(self, now: float) -> int:
        """How many instances must run at *now*, as the agents compute it."""
        raise NotImplementedError


def plan_of(unit: str, base: int, windows: Sequence[WindowSpec], lead_sec: int, now: int) -> WindowPlan:
    """The plan of *windows* from *now* on. Occurrences that repeat weekly are one series."""
    raise NotImplementedError
