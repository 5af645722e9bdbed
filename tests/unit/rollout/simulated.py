"""A cluster made of values: enough of fleet and systemd to drive decisions through time, without either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Decision, Policy, RolloutState, Target
from fleetcaptain.rollout.sliding_window import decide
from fleetcaptain.units.unit_file import UnitFile

NEW_FILE = UnitFile.parse("[Service]\nExecStart=/bin/new\n")
OLD, NEW = "old", NEW_FILE.unit_hash


def running(name: str, unit_hash: str) -> Instance:
    """An instance that is up, healthy and registered with *unit_hash*."""
    return Instance(name, unit_hash, "launched", "launched", "10.0.0.1", unit_hash, "active", "running", unit_hash)


@dataclass
class Fault:
    """How the new content behaves on one instance: never up (*how*), or up after *delay* ticks. ``outlived``: systemd
    runs on with the old process, which fleet takes for the new content, until it is stopped; *times* so often.
    ``halted``: systemd runs nothing of it, until it is stopped and started again, *times* so often."""

    delay: int = 2
    how: str = ""
    times: int = 1


@dataclass
class Simulated:
    """Instances by name, and what is under way: name -> (ticks left, content to come up with)."""

    instances: dict[str, Instance]
    faults: Mapping[str, Fault] = field(default_factory=dict)
    coming: dict[str, tuple[int, str]] = field(default_factory=dict)
    touched: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def put(self, name: str, unit_hash: str) -> None:
        """fleet takes the text at once; systemd goes on with the old one until the next tick."""
        self.touched.append(name)
        old = self.instances[name]
        self.instances[name] = Instance(
            name, unit_hash, "launched", "launched", "10.0.0.1", old.running, old.active, old.sub, old.registered
        )
        self.coming[name] = (self.faults.get(name, Fault()).delay, unit_hash)

    def stop(self, name: str) -> None:
        """The desired state becomes loaded, and systemd runs nothing of it."""
        old = self.instances[name]
        self.stopped.append(name)
        self.coming.pop(name, None)
        self.instances[name] = Instance(name, old.unit_hash, "loaded", "loaded", "10.0.0.1", old.unit_hash, "inactive")

    def tick(self) -> None:
        """One second passes."""
        for name, (left, unit_hash) in list(self.coming.items()):
            how = self.faults.get(name, Fault()).how if unit_hash == NEW else ""
            if how == "outlived" and self.stopped.count(name) < self.faults[name].times:
                self.instances[name] = replace(running(name, unit_hash), registered=OLD)
            elif left > 0:
                self.coming[name] = (left - 1, unit_hash)
                self.instances[name] = self._state(name, unit_hash, "activating", "start-post")
            elif how == "halted" and self.stopped.count(name) < self.faults[name].times:
                self.instances[name] = self._state(name, unit_hash, "inactive", "dead")
            elif how == "failed":
                self.instances[name] = self._state(name, unit_hash, "failed", "failed")
            elif how == "loop":
                sub = "auto-restart" if self.instances[name].sub != "auto-restart" else "start-post"
                self.instances[name] = self._state(name, unit_hash, "activating", sub)
            elif how == "unregistered":
                self.instances[name] = self._state(name, unit_hash, "active", "running")
            elif how != "stuck":
                self.instances[name] = running(name, unit_hash)
                del self.coming[name]

    def _state(self, name: str, unit_hash: str, active: str, sub: str) -> Instance:
        return Instance(name, unit_hash, "launched", "launched", "10.0.0.1", unit_hash, active, sub)

    def serving(self) -> int:
        """How many instances serve, whatever they serve."""
        return sum(instance.serving for instance in self.instances.values())


@dataclass
class Run:
    """What a simulated rollout came to."""

    last: Decision
    ticks: int
    least_serving: int
    most_down_at_once: int


def run(cluster: Simulated, policy: Policy, limit: int = 3000) -> Run:
    """Drive *cluster* to `NEW` until the decision ends it. Fails when it does not within *limit* ticks."""
    names = tuple(cluster.instances)
    target = Target("web", names, NEW_FILE)
    state = RolloutState()
    least, most_down = cluster.serving(), 0
    for now in range(limit):
        decision = decide(dict(cluster.instances), target, policy, state, float(now))
        state = decision.state
        if decision.finished or decision.failure:
            return Run(decision, now, least, most_down)
        for name in decision.put:
            cluster.put(name, NEW)
        for name in decision.stop:
            cluster.stop(name)
        cluster.tick()
        least = min(least, cluster.serving())
        most_down = max(most_down, len(names) - cluster.serving())
    raise AssertionError(f"no end after {limit} ticks: {decision}")
