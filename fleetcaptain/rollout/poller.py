"""One poller for all rollouts of a process: however many wait, the cluster is asked at most once per look."""

from __future__ import annotations

import threading
from collections.abc import Callable

from fleetcaptain.rollout.observed import Snapshot

__all__ = ["LOOK_SEC", "REFRESH_SEC", "TICK_SEC", "Poller"]

# fleet's agents act on a nudge at most once a second (research: 1.05 s between nudges is the best interval).
TICK_SEC = 1.05
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
