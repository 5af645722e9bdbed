"""The one wait of tests for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["until"]


def until(
    holds: Callable[[], bool], what: Callable[[], object] = str, *, within_sec: float = 60, pause_sec: float = 0.02
) -> float:
    """Wait until *holds*; the seconds that it took. *what* gives what is shown if it does not hold in time."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_sec, f"not in {within_sec:g} s: {what()}"
        time.sleep(pause_sec)
    return time.monotonic() - began
