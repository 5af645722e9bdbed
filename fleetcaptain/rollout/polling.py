"""Polls the cluster for all rollouts of a process, and wakes fleet's agents."""

from __future__ import annotations

import threading
from collections.abc import Callable

from fleetcaptain.rollout.model import TICK_SEC
from fleetcaptain.rollout.observe import Snapshot

__all__ = ["LOOK_SEC", "REFRESH_SEC", "Nudger", "Poller"]

# Polling twice per tick notices half a second earlier that an instance is done.
LOOK_SEC = TICK_SEC / 2
# Pulumi refreshes a hundred services within a few seconds and shows them as one state.
REFRESH_SEC = 5.0
_AGENT_SLEEP_SEC = 1.0


class Poller:
    """Shares snapshots between threads. *fetch* reads the cluster, *clock* gives seconds. *changed_at* is when this
    process last changed the cluster."""

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


class Nudger:
    """Tracks when a change last woke the agents. *clock* gives seconds. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._woken = float("-inf")

    def changed(self) -> None:
        """Record a change of a desired state, which wakes the agents unless they sleep."""
        with self._lock:
            now = self._clock()
            if now - self._woken >= _AGENT_SLEEP_SEC:
                self._woken = now

    def due(self) -> bool:
        """Whether a nudge is due. The caller must then send it."""
        with self._lock:
            now = self._clock()
            if now - self._woken < TICK_SEC:
                return False
            self._woken = now
            return True
