"""Carrying decisions out: the thin loop around `decide`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fleetcaptain.errors import Interrupted
from fleetcaptain.fleet.values import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.decide import Decision, Failure, Memory, Policy, Target, decide
from fleetcaptain.rollout.instance import Instance
from fleetcaptain.rollout.observed import observe
from fleetcaptain.rollout.poller import TICK_SEC

__all__ = ["Driver", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """How a drive ended. *before* maps each unit that was touched to the text it had, None where there was none."""

    before: Mapping[str, str | None]
    failure: Failure | None = None
    failed: Instance | None = None


@dataclass(frozen=True)
class Driver:
    """Drives targets on one cluster. *report* gets a line whenever something changed; *stopping* says whether to stop
    before the next step."""

    cluster: Cluster
    report: Callable[[str], None] = field(default=lambda _line: None)
    stopping: Callable[[], bool] = field(default=lambda: False)

    def drive(self, target: Target, policy: Policy) -> Outcome:
        """Bring every unit of *target* to its text. Raises Interrupted when asked to stop; what is done stays done."""
        cluster = self.cluster
        memory = Memory()
        before: dict[str, str | None] = {}
        last_line = ""
        while True:
            snapshot = cluster.look()
            observed = {name: observe(name, snapshot) for name in target.names}
            decision = decide(observed, target, policy, memory, cluster.clock())
            memory = decision.memory
            if decision.failure is not None:
                return Outcome(before, decision.failure, observed[decision.failure.unit])
            if decision.finished:
                return Outcome(before)
            if self.stopping():
                raise Interrupted(
                    f"{target.service}: stopped on request with {len(memory.done)} of {len(target.names)} instances "
                    "done. The next `pulumi up` goes on from here; with the old Fleetfile it goes back."
                )
            for name in decision.put:
                unit = snapshot.units.get(name)
                before.setdefault(name, unit.text if unit else None)
            self._act(decision, target, observed)
            line = progress(decision, target, observed)
            if line != last_line:
                self.report(line)
                last_line = line
            cluster.sleep(TICK_SEC)

    def _act(self, decision: Decision, target: Target, observed: Mapping[str, Instance]) -> None:
        fleet = self.cluster.fleet
        for name in decision.put:
            fleet.put(name, target.text, DesiredState.LAUNCHED)
        for name in decision.stop:
            fleet.set_desired(name, DesiredState.LOADED)
        for name in decision.waiting:
            if name not in decision.put and observed[name].running != target.content:
                # A nudge: the same desired state again wakes fleet's agents, which else act every 5 s.
                fleet.set_desired(name, DesiredState.LAUNCHED)


def progress(decision: Decision, target: Target, observed: Mapping[str, Instance]) -> str:
    """One line for a person: how many are done, and what each of the others waits for."""
    waits = [f"{name}: {_waits_for(observed[name], target)}" for name in (*decision.stop, *decision.waiting)]
    return "; ".join([f"{len(decision.memory.done)}/{len(target.names)} healthy", *waits])


def _waits_for(instance: Instance, target: Target) -> str:
    where = f" on {instance.machine}" if instance.machine else ""
    if instance.healthy(target.content):
        return f"healthy{where}, to stay so for a while"
    if instance.running != target.content:
        return f"waiting for fleet{where}"
    if (instance.active, instance.sub) == ("active", "running"):
        return f"waiting for its registration{where}"
    return f"{instance.active}/{instance.sub}{where}"
