"""One wait: ask until nothing is pending, report each change, and give up at a deadline. Time is handed in."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wait_until"]


def wait_until(
    pending: Callable[[], str],
    timeout_sec: float,
    report: Callable[[str], None],
    timed_out: Callable[[str], Exception],
    *,
    pause_sec: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when *pending*, asked every *pause_sec* seconds, has nothing left to name.

    Each line that it gives is reported when it differs from the last one. After *timeout_sec* seconds the error that
    *timed_out* makes of the last line is raised. Whatever *pending* raises ends the wait.
    """
    deadline, last = clock() + timeout_sec, ""
    while line := pending():
        if clock() > deadline:
            raise timed_out(line)
        if line != last:
            report(line)
            last = line
        sleep(pause_sec)
