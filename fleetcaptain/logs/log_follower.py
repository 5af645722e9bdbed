"""Follows the logs of a service: as many journals as there are machines, and more as machines and units come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from queue import Empty, Queue

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.logs.journal_process import JournalProcess
from fleetcaptain.logs.journal_query import JournalQuery
from fleetcaptain.logs.log_entry import LogEntry
from fleetcaptain.logs.log_merge import Reordering
from fleetcaptain.logs.log_sources import LogSources

__all__ = ["LogFollower"]

_HOLD_SEC = 0.3
_OPEN_SEC = 1.0
_LOOK_SEC = 3.0
_AGAIN_SEC = 3.0
_TICK_SEC = 0.05
# So many entries may wait here; a machine whose entries do not fit waits, and loses none.
_WAITING = 20_000

Run = Callable[[str, JournalQuery], JournalProcess]


@dataclass
class _Journal:
    """One journal that is followed: a machine, what is asked of it, and the *cursor* of its last entry. *count* entries
    came so far, the last one *at*. *silent*: its machine did not answer, which was reported."""

    address: str
    query: JournalQuery
    process: JournalProcess | None = None
    cursor: str = ""
    count: int = 0
    at: float = 0.0
    silent: bool = False
    again_at: float = 0.0
    ended: bool = False


class LogFollower:
    """Follows *query* on the machines of *sources*.

    *look* returns the present sources, and is called every few seconds; *run* starts a journal on a machine; *report*
    gets a line for each machine that does not answer, and when it answers again. New units are shown from their
    beginning, which is not before *begun* (journalctl's form).

    Each machine is asked for the last lines of the query, since all of them may be its own; of those that came when the
    first ones are shown, only the last ones of all machines are.
    """

    def __init__(
        self,
        query: JournalQuery,
        sources: LogSources,
        run: Run,
        look: Callable[[], LogSources],
        report: Callable[[str], None],
        *,
        begun: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._look, self._report, self._clock = run, look, report, clock
        self._lines = query.lines
        self._new = replace(query, lines=None, since=begun)
        self._units, self._addresses = set(sources.units), set(sources.addresses)
        self._queue: Queue[tuple[_Journal, LogEntry | JournalProcess]] = Queue(_WAITING)
        self._sources: Queue[LogSources] = Queue()
        self._journals = [_Journal(address, query) for address in sources.addresses]
        self._stopped = threading.Event()

    def entries(self) -> Iterator[LogEntry | None]:
        """The entries, without an end, in the order of their times as far as `Reordering` can; None at each moment at
        which there is none."""
        order, opens_at = Reordering(_HOLD_SEC), self._clock() + _OPEN_SEC
        for journal in self._journals:
            self._start(journal)
        threading.Thread(target=self._keep_looking, daemon=True).start()
        try:
            while True:
                self._take(order)
                now = self._clock()
                if now >= opens_at or all(self._has_begun(journal, now) for journal in self._journals):
                    # A machine that was asked for no lines has only new ones.
                    order.open(self._lines or None)
                yield from order.due(now)
                yield None
                self._follow_sources()
                for journal in self._journals:
                    if journal.process is None and not journal.ended and now >= journal.again_at:
                        self._start(journal)
        finally:
            self.stop()

    def _has_begun(self, journal: _Journal, now: float) -> bool:
        """Whether the lines that the machine had are here, or will not come soon. journalctl does not mark their end:
        they are here when they are as many as it was asked for, or when no more come."""
        if journal.silent or not journal.count:
            return journal.silent
        return self._lines is None or journal.count >= self._lines or now - journal.at >= _HOLD_SEC

    def stop(self) -> None:
        """End every journal."""
        self._stopped.set()
        for journal in self._journals:
            if journal.process is not None:
                journal.process.end()

    def _start(self, journal: _Journal) -> None:
        process = journal.process = self._run(journal.address, journal.query.resumed(journal.cursor))

        def read() -> None:
            for entry in process.entries():
                self._queue.put((journal, entry))
            self._queue.put((journal, process))

        threading.Thread(target=read, daemon=True).start()

    def _take(self, order: Reordering) -> None:
        """What has arrived, at most as much as may wait."""
        try:
            journal, arrived = self._queue.get(timeout=_TICK_SEC)
            for _ in range(_WAITING):
                if isinstance(arrived, LogEntry):
                    if journal.silent:
                        journal.silent = False
                        self._report(f"{journal.address} answers again")
                    journal.cursor, journal.count, journal.at = arrived.cursor, journal.count + 1, self._clock()
                    order.add(arrived, journal.at)
                else:
                    self._end(journal, arrived)
                journal, arrived = self._queue.get_nowait()
        except Empty:
            return

    def _end(self, journal: _Journal, process: JournalProcess) -> None:
        """A journal that ended is started again: its machine may be back."""
        journal.process, journal.again_at = None, self._clock() + _AGAIN_SEC
        if not journal.silent:
            journal.silent = True
            why = process.problem or "its journal ended"
            self._report(f"{journal.address} does not answer: {why}; trying again")

    def _keep_looking(self) -> None:
        while not self._stopped.wait(_LOOK_SEC):
            try:
                self._sources.put(self._look())
            except FleetCaptainError:
                continue

    def _follow_sources(self) -> None:
        """Follow machines and units that are new."""
        while not self._sources.empty():
            now = self._sources.get()
            units = tuple(sorted(set(now.units) - self._units))
            self._units |= set(units)
            if units:
                self._begin(sorted(self._addresses), units)
            addresses = sorted(set(now.addresses) - self._addresses)
            self._addresses |= set(addresses)
            self._begin(addresses, tuple(sorted(self._units)))

    def _begin(self, addresses: list[str], units: tuple[str, ...]) -> None:
        new = [_Journal(address, replace(self._new, units=units)) for address in addresses]
        self._journals += new
        for journal in new:
            self._start(journal)
