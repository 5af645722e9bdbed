"""Watches an app's status: a new report as often as it can be had, and the last one while nothing answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, Queue

from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError
from fleetcaptain.status.status_report import Report

__all__ = ["Watched", "watched"]

_LATE_SEC = 5.0


@dataclass(frozen=True)
class Watched:
    """The last *report*; *silence*: since when, and why, there is no newer one, "" when it is new."""

    report: Report
    silence: str = ""


def watched(
    read: Callable[[], Report],
    every_sec: float,
    *,
    late_sec: float = _LATE_SEC,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Watched]:
    """Reports without an end, *every_sec* seconds apart. A reading that fails, or that takes longer than *late_sec*,
    gives the last report again; only the first reading raises ClusterUnreachable."""
    last = read()
    yield Watched(last)
    silent_since: datetime | None = None
    while True:
        sleep(every_sec)
        began, answers = now(), _started(read)
        while True:
            try:
                answer = answers.get(timeout=late_sec)
            except Empty:
                answer = None
            if isinstance(answer, Report):
                last, silent_since = answer, None
                yield Watched(last)
                break
            silent_since = silent_since or began
            why = f": {answer}" if answer is not None else ""
            yield Watched(last, f"no answer since {silent_since:%H:%M:%S} UTC{why}")
            if answer is not None:
                break


def _started(read: Callable[[], Report]) -> Queue[Report | FleetCaptainError]:
    """The queue that gets what *read* returns or raises, in a thread of its own: one that hangs stops nothing."""
    answers: Queue[Report | FleetCaptainError] = Queue()

    def run() -> None:
        try:
            answers.put(read())
        except FleetCaptainError as error:
            answers.put(error)
        except Exception as error:  # a mistake of the program must show too
            answers.put(ClusterUnreachable(f"{type(error).__name__}: {error}"))
            raise

    threading.Thread(target=run, daemon=True).start()
    return answers
