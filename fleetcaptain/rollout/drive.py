"""Carrying decisions out: the thin loop around `decide`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fleetcaptain.errors import ClusterUnreachable, Interrupted
from fleetcaptain.fleet.values import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.decide import decide
from fleetcaptain.rollout.instance import Instance
from fleetcaptain.rollout.observed import Snapshot, observe
from fleetcaptain.rollout.poller import TICK_SEC
from fleetcaptain.rollout.progress import Timing, progress, summary, timed
from fleetcaptain.rollout.values import Decision, Failure, Memory, Policy, Target, after_blindness

__all__ = ["Driver", "Outcome"]

_BLIND_SEC = 600.0


@dataclass(frozen=True)
class Outcome:
    """How a drive ended. *before* maps each unit that was touched to the text it had, None where there was none."""

    before: Mapping[str, str | None]
    failure: Failure | None = None
    failed: Instance | None = None


@dataclass(frozen=True)
class Driver:
    """Drives targets on one cluster. *report* gets a line whenever something changed; *tick* gets the same with the
    seconds left, each second. *stopping* says whether to stop before the next step."""

    cluster: Cluster
    report: Callable[[str], None] = field(default=lambda _line: None)
    stopping: Callable[[], bool] = field(default=lambda: False)
    tick: Callable[[str], None] = field(default=lambda _line: None)

    def drive(self, target: Target, policy: Policy) -> Outcome:
        """Bring every unit of *target* to its text.

        A cluster that cannot be seen for a while is waited for, and that time does not count. Raises Interrupted when
        asked to stop, ClusterUnreachable after ten blind minutes; what is done stays done.
        """
        clock = self.cluster.clock
        memory, timing = Memory(), Timing()
        before: dict[str, str | None] = {}
        seen, last_line = clock(), ""
        while True:
            try:
                snapshot = self.cluster.look()
                now = clock()
                memory, seen = _seen_again(memory, seen, now), now
                observed = {name: observe(name, snapshot, policy.zone_key) for name in target.names}
                decision = decide(observed, target, policy, memory, now)
                memory, timing = decision.memory, timed(timing, decision, now)
                if decision.failure is not None:
                    return Outcome(before, decision.failure, observed[decision.failure.unit])
                if decision.finished:
                    self.report(summary(target, timing))
                    return Outcome(before)
                self._stop_here(target, memory)
                self._act(decision, target, observed, snapshot, before)
            except ClusterUnreachable as error:
                if clock() - seen > _BLIND_SEC:
                    raise
                self._stop_here(target, memory)
                line, counted = (f"the cluster does not answer, waiting for it: {error}",) * 2
            else:
                line, counted = progress(decision, target, policy, observed, now)
            if line != last_line:
                self.report(counted)
                last_line = line
            else:
                self.tick(counted)
            self.cluster.sleep(TICK_SEC)

    def _stop_here(self, target: Target, memory: Memory) -> None:
        if self.stopping():
            raise Interrupted(
                f"{target.service}: stopped on request with {len(memory.done)} of {len(target.names)} instances "
                "done. The next `pulumi up` goes on from here; with the old Fleetfile it goes back."
            )

    def _act(
        self,
        decision: Decision,
        target: Target,
        observed: Mapping[str, Instance],
        snapshot: Snapshot,
        before: dict[str, str | None],
    ) -> None:
        fleet = self.cluster.fleet
        for name in decision.put:
            unit = snapshot.units.get(name)
            before.setdefault(name, unit.text if unit else None)
            fleet.put(name, target.text, DesiredState.LAUNCHED)
        for name in decision.stop:
            fleet.set_desired(name, DesiredState.LOADED)
        for name in decision.waiting:
            if name not in decision.put and observed[name].running != target.content:
                # A nudge: the same desired state again wakes fleet's agents, which else act every 5 s.
                fleet.set_desired(name, DesiredState.LAUNCHED)


def _seen_again(memory: Memory, seen: float, now: float) -> Memory:
    """*memory*, less the time since *seen* in which nothing could be seen, if it was longer than a look takes."""
    blind = now - seen
    return after_blindness(memory, blind) if blind > 5 * TICK_SEC else memory
