"""Carries decisions out: the thin loop around `decide`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fleetcaptain.errors import ClusterUnreachable, Interrupted, RolloutFailed
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.bound_units import BoundUnit, missing, next_state, running_bound_units
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.health import FAULT_SEC, ClusterHealth, Instance, extend_deadlines, relax, update_health
from fleetcaptain.rollout.model import Decision, Policy, RolloutState, Target
from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.rollout.ownership import foreign, refusals
from fleetcaptain.rollout.polling import LOOK_SEC
from fleetcaptain.rollout.report import Outcome, ProgressReporter, Timing, progress, summary, timed
from fleetcaptain.rollout.sliding_window import decide
from fleetcaptain.rollout.window_record import record_opening
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["Driver"]


@dataclass(frozen=True)
class Driver:
    """Rolls targets out on one cluster. *report* gets a line for each instance that is done, and every thirty seconds.
    *stopping* returns whether to stop before the next step. *bound* maps each changed instance to the units that
    systemd stopped with it: the same driver runs the rollback and then starts them again. No machine agent opens a
    window while the rollout has the lock, so the driver does. *opening* returns the units that must run now, which then
    get the new text as well; None: the windows of the plan that the agents follow are opened, and their instances are
    left alone."""

    cluster: Cluster
    report: Callable[[str], None] = field(default=lambda _line: None)
    stopping: Callable[[], bool] = field(default=lambda: False)
    bound: dict[str, tuple[BoundUnit, ...]] = field(default_factory=dict)
    opening: Callable[[], Sequence[str]] | None = None

    def run(self, target: Target, policy: Policy) -> Outcome:
        """Bring every unit of *target* to its text.

        Waits while the cluster is unreachable or lacks a machine; that time does not count. Raises Interrupted on a
        request to stop, ClusterUnreachable after an outage of ten minutes, RolloutFailed if a unit with a name of
        *target* now has another owner; finished instances stay as they are.
        """
        clock = self.cluster.clock
        state, timing, reporter = RolloutState(), Timing(), ProgressReporter(self.report)
        before: dict[str, UnitFile | None] = {}
        requested_at: dict[str, float] = {}
        health, acted = ClusterHealth(clock()), clock()
        while True:
            try:
                snapshot = self.cluster.snapshot(acted)
                self._stop_at_foreign(target, snapshot)
                target = self._open(target, snapshot, state)
                now = clock()
                last, health = health, update_health(health, snapshot.machines, now)
                observed = self.observe(target, snapshot, policy.zone_key)
                relaxed = relax(policy, health)
                decision = decide(observed, target, relaxed, extend_deadlines(state, last, health), now)
                state, timing = decision.state, timed(timing, decision, now)
                self.cluster.recorder.done(state.done, now)
                if decision.failure is not None:
                    return Outcome(before, snapshot, decision.failure, observed[decision.failure.unit])
                if decision.finished:
                    self.report(summary(target, timing))
                    return Outcome(before, snapshot)
                self._stop_here(target, state)
                came_back = self._bring_back(observed, snapshot, requested_at)
                if self._act(decision, target, observed, snapshot, before) or came_back:
                    acted = clock()
            except ClusterUnreachable as error:
                if clock() - health.at > FAULT_SEC:
                    raise
                self._stop_here(target, state)
                stage, line = "no answer", f"the cluster does not answer, waiting for it: {error}"
            else:
                stage, line = progress(decision, target, relaxed, observed, now)
            reporter.update(stage, line, clock())
            self.cluster.sleep(LOOK_SEC)

    def observe(self, target: Target, snapshot: Snapshot, zone_key: str) -> dict[str, Instance]:
        """Each instance of *target* as `decide` judges it: a healthy one with a stopped bound unit is not healthy."""
        observed = {name: observe(name, snapshot, zone_key) for name in target.names}
        for name, instance in observed.items():
            down = self._missing(name, snapshot) if instance.healthy(target.unit_hash) else ()
            if down:
                observed[name] = replace(instance, missing_bound=down[0].name)
        return observed

    def _open(self, target: Target, snapshot: Snapshot, state: RolloutState) -> Target:
        """Launch the units of windows that must run now, with the text that they have; *target* with them. A unit in
        progress that waits was stopped by this rollout."""
        if self.opening is None:
            self._open_by_plan(target, snapshot)
            return target
        needed = [name for name in self.opening() if name in snapshot.units]
        for name in needed:
            if name in snapshot.waiting and name not in state.in_progress:
                self.cluster.set_desired_state(name, DesiredState.LAUNCHED)
        return replace(target, names=tuple(dict.fromkeys((*target.names, *needed))))

    def _open_by_plan(self, target: Target, snapshot: Snapshot) -> None:
        plan = snapshot.window_plan(target.service)
        if plan is None:
            return
        instances, due = plan.needed(self.cluster.wall_clock())
        # A unit of the target that waits was stopped by this rollout.
        names = [
            name
            for name in plan.extra_names[: instances - plan.base]
            if name in snapshot.waiting
            and name not in target.names
            and self.cluster.ownership.owns(name, snapshot.units[name].mark)
        ]
        for name in names:
            self.cluster.set_desired_state(name, DesiredState.LAUNCHED)
        if names:
            self.report(f"{target.service}: started {', '.join(names)} for its window")
            record_opening(self.cluster, target.service, snapshot.windows[target.service], instances, due)

    def start(self, name: str, target: Target) -> None:
        """Begin to bring the unit *name* to *target*."""
        self.cluster.put(name, target.file)

    def _missing(self, name: str, snapshot: Snapshot) -> tuple[Instance, ...]:
        return missing(self.bound.get(name, ()), self.cluster.ownership, snapshot)

    def _bring_back(self, observed: Mapping[str, Instance], snapshot: Snapshot, requested_at: dict[str, float]) -> bool:
        """Start the bound units of an instance again when it is up. Returns whether a state was requested.
        *requested_at*: the last request for each unit."""
        acted = False
        down = [unit for name, one in observed.items() if one.missing_bound for unit in self._missing(name, snapshot)]
        for unit in down:
            now = self.cluster.clock()
            desired = next_state(unit, requested_at.get(unit.name, float("-inf")), now)
            if desired is not None:
                self.cluster.set_desired_state(unit.name, desired)
                requested_at[unit.name], acted = now, True
        if down and not acted:
            self.cluster.nudge(down[0].name, DesiredState(down[0].desired))
        return acted

    def _stop_here(self, target: Target, state: RolloutState) -> None:
        if self.stopping():
            raise Interrupted(
                f"{target.service}: stopped on request with {len(state.done)} of {len(target.names)} instances "
                "done. Run the same command again: it continues from here."
            )

    def _stop_at_foreign(self, target: Target, snapshot: Snapshot) -> None:
        """A unit may change its owner between two snapshots. A unit with our text is the one that this rollout
        wrote."""
        names = foreign(self.cluster.ownership, target.names, snapshot.units)
        taken = [name for name in names if snapshot.units[name].unit_hash != target.unit_hash]
        if taken:
            heading = f"{target.service}: units with its names no longer belong to this stack. The rollout stopped:"
            problems = refusals(self.cluster.ownership, taken, snapshot.units)
            raise RolloutFailed("\n  ".join([heading, *problems]))

    def _act(
        self,
        decision: Decision,
        target: Target,
        observed: Mapping[str, Instance],
        snapshot: Snapshot,
        before: dict[str, UnitFile | None],
    ) -> bool:
        """Carry *decision* out. Returns whether it did more than wait."""
        for name in decision.put:
            unit = snapshot.units.get(name)
            before.setdefault(name, unit.file if unit else None)
            self._note_bound(name, target, snapshot)
            self.start(name, target)
        for name in decision.stop:
            self._note_bound(name, target, snapshot)
            if observed[name].desired == DesiredState.LAUNCHED:
                self.cluster.set_desired_state(name, DesiredState.LOADED)
        slow = [name for name in decision.waiting if observed[name].running != target.unit_hash]
        if decision.stop:
            stopping = observed[decision.stop[0]].desired
            loaded = stopping == DesiredState.LAUNCHED
            self.cluster.nudge(decision.stop[0], DesiredState.LOADED if loaded else DesiredState(stopping))
        elif slow and not decision.put:
            self.cluster.nudge(slow[0], DesiredState.LAUNCHED)
        return bool(decision.put or decision.stop)

    def _note_bound(self, name: str, target: Target, snapshot: Snapshot) -> None:
        """Record the running units that are bound to the unit *name*, before its first change."""
        if name not in self.bound:
            self.bound[name] = running_bound_units(name, target.service, self.cluster.ownership, snapshot)
