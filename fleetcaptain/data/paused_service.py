"""Stops a service while its data is copied or moved, and starts it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.journal import JournalEntry, guarded, journal_of
from fleetcaptain.rollout.observe import Snapshot, instances_of, observe
from fleetcaptain.rollout.remove import patience

__all__ = ["paused"]

_STRATEGIES = frozenset({"backup", "restore", "bind"})


@contextmanager
def paused(cluster: Cluster, service: str, strategy: str, report: Callable[[str], None]) -> Iterator[Cluster]:
    """*cluster*, fenced by the lock of *service*, whose instances do not run in the block. Afterwards those that ran
    before start again, whatever happened, and are waited for; so do those that a killed process has stopped here.
    Raises Locked, and DeadlineExceeded when they do not stop or start."""
    last: list[JournalEntry | None] = []

    def look(_snapshot: Snapshot) -> None:
        last.append(journal_of(cluster, service))

    with guarded(cluster, service, "", report, check=look, strategy=strategy) as (fenced, snapshot):
        was_paused = any(entry and entry.strategy in _STRATEGIES and entry.state != "done" for entry in last)
        runs = {DesiredState.LAUNCHED, DesiredState.LOADED} if was_paused else {DesiredState.LAUNCHED}
        names = [
            name for name in instances_of(cluster.ownership, service, snapshot) if snapshot.units[name].desired in runs
        ]
        limit_sec = max([patience(names, snapshot), *(snapshot.units[name].file.start_limit_sec for name in names)])
        try:
            report(f"stopping {service}")
            _bring(fenced, names, DesiredState.LOADED, limit_sec)
            yield fenced
        finally:
            report(f"starting {service}")
            _bring(fenced, names, DesiredState.LAUNCHED, limit_sec)


def _bring(cluster: Cluster, names: Sequence[str], desired: DesiredState, limit_sec: float) -> None:
    for name in names:
        cluster.set_desired_state(name, desired)
    stops = desired is DesiredState.LOADED

    def pending() -> str:
        snapshot = cluster.snapshot()
        instances = [observe(name, snapshot) for name in names]
        left = [one.name for one in instances if not (one.stopped if stops else one.serving)]
        if left:
            cluster.nudge(left[0], desired)
        return ", ".join(left)

    def timed_out(left: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"{left} did not {'stop' if stops else 'start'} within {limit_sec:.0f} s. Look at it with `captain status` "
            "and `captain logs`, then run `pulumi up`, which starts what is stopped."
        )

    cluster.wait(pending, limit_sec, timed_out)
