"""Merges entries of several machines by time. Pure."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator

from fleetcaptain.logs.log_entry import LogEntry

__all__ = ["Reordering", "merged"]


def merged(streams: Iterable[Iterable[LogEntry]]) -> Iterator[LogEntry]:
    """All entries of *streams* by time. The entries of one stream stay in their order, even where its clock was set
    back, and those of one moment come in the order of the streams."""
    return heapq.merge(*streams, key=lambda entry: entry.time_us)


class Reordering:
    """Brings entries that arrive from several machines in the order of their times, as far as they arrive within
    *hold_sec* seconds of each other. Nothing is lost: what arrives later comes later.

    Every entry is held that long, and all of them until `open` is called, so that what the machines already have comes
    in one order.
    """

    def __init__(self, hold_sec: float) -> None:
        self._hold_sec = hold_sec
        self._held: list[tuple[int, str, int, LogEntry]] = []
        self._arrivals: deque[tuple[float, int]] = deque()
        self._passed: set[int] = set()
        self._count = 0
        self._latest: dict[str, int] = {}
        self._is_open = False

    def open(self, last: int | None = None) -> None:
        """Let entries through from now on: all that are held, or only the *last* of them. Those that are dropped are
        earlier than those that are kept."""
        for _ in range(0 if self._is_open or last is None else len(self._held) - last):
            self._passed.add(heapq.heappop(self._held)[2])
        self._is_open = True

    def add(self, entry: LogEntry, now: float) -> None:
        """*entry* arrived at *now*, in seconds of any clock."""
        self._count += 1
        # One machine's entries stay in their order.
        time_us = self._latest[entry.address] = max(self._latest.get(entry.address, 0), entry.time_us)
        heapq.heappush(self._held, (time_us, entry.address, self._count, entry))
        self._arrivals.append((now, self._count))

    def due(self, now: float) -> Iterator[LogEntry]:
        """The entries that were held long enough, each after those that are earlier."""
        while self._is_open and self._arrivals and self._arrivals[0][0] + self._hold_sec <= now:
            yield from self._up_to(self._arrivals.popleft()[1])

    def rest(self) -> Iterator[LogEntry]:
        """All that is held, at the end."""
        while self._arrivals:
            yield from self._up_to(self._arrivals.popleft()[1])

    def _up_to(self, number: int) -> Iterator[LogEntry]:
        """The held entries up to the one that arrived as *number*, unless it has passed already."""
        while number not in self._passed:
            _, _, count, entry = heapq.heappop(self._held)
            self._passed.add(count)
            yield entry
        self._passed.discard(number)
