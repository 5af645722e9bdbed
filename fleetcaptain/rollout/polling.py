"""Polls the cluster for all rollouts of a process, and wakes fleet's agents."""

from __future__ import annotations

import threading
from collections.abc import Callable

from fleetcaptain.rollout.model import TICK_SEC
from fleetcaptain.rollout.observe import Snapshot

__all__ = ["LOOK_SEC", "REFRESH_SEC", "Nudger", "Poller"]

# Looking twice as often finds half a second earlier, for each instance, that it is done.
LOOK_SEC = TICK_SEC / 2
# Pulumi refreshes a hundred services within some seconds, and shows them as one state.
REFRESH_SEC = 5.0


class Poller:
    """Shares snapshots between threads. *fetch* asks the cluster, *clock* gives seconds. *changed_at* is when the
    cluster was last changed by this process."""

    def __init__(self, fetch: Callable[[], Snapshot], clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._changed = threading.Condition()
        self._fetching = False
        self._began = float("-inf")
        self._snapshot: Snapshot | None = None
        self.changed_at = float("-inf")

    def after(self, moment: float) -> Snapshot:
        """A snapshot whose reading began at *moment* or later. Raises what *fetch* raises."""
        while True:
            with self._changed:
                if self._snapshot is not None and self._began >= moment:
                    return self._snapshot
                if self._fetching:
                    self._changed.wait()
                    continue
                self._fetching = True
            began = self._clock()
            snapshot = None
            try:
                snapshot = self._fetch()
            finally:
                with self._changed:
                    self._fetching = False
                    if snapshot is not None:
                        self._snapshot, self._began = snapshot, began
                    self._changed.notify_all()


_AGENT_SLEEP_SEC = 1.0


class Nudger:
    """Counts the changes that agents woke up from. *clock* gives seconds. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._woken = float("-inf")

    def changed(self) -> None:
        """A desired state was changed: agents woke up, unless they slept."""
        with self._lock:
            now = self._clock()
            if now - self._woken >= _AGENT_SLEEP_SEC:
                self._woken = now

    def due(self) -> bool:
        """Whether it is time for a nudge; who is told so has to give it."""
        with self._lock:
            now = self._clock()
            if now - self._woken < TICK_SEC:
                return False
            self._woken = now
            return True
