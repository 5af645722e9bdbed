"""When to wake fleet's agents. An agent acts on any change of a desired state, then sleeps for a second and drops what
happens meanwhile; without a change it looks every five seconds. One change wakes all agents, so one nudge at a time
serves all rollouts of a process, however many units wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from fleetcaptain.rollout.poller import TICK_SEC

__all__ = ["Nudger"]

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
