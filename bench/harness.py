"""Times two functions in turns, and computes their ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Row", "compared", "counted", "seconds"]


@dataclass(frozen=True)
class Row:
    """One line of the results: *what* was measured *against* what, their medians (*ours*, *theirs*) in *unit*, the
    *spread* of ours (least and most), the number of *rounds*, and the *goal* for the ratio (0: none)."""

    what: str
    against: str
    unit: str
    ours: float
    theirs: float
    spread: tuple[float, float]
    rounds: int
    goal: float = 0.0

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.ours / self.theirs if self.theirs else float("nan")


def seconds(act: Callable[[], object]) -> float:
    """How long *act* takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def compared(
    what: str,
    ours: Callable[[], float],
    against: str,
    theirs: Callable[[], float],
    *,
    rounds: int,
    goal: float = 0.0,
    unit: str = "s",
) -> Row:
    """Measure *ours* and *theirs* in turns, so that a busy machine is busy for both."""
    mine, other = [], []
    for _ in range(rounds):
        other.append(theirs())
        mine.append(ours())
    return counted(what, mine, against, other, goal=goal, unit=unit)


def counted(
    what: str, ours: Sequence[float], against: str, theirs: Sequence[float], *, goal: float = 0.0, unit: str = "s"
) -> Row:
    """The row of two measured series."""
    spread = (min(ours), max(ours))
    return Row(what, against, unit, statistics.median(ours), statistics.median(theirs), spread, len(ours), goal)
