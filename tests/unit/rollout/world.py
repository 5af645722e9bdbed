"""A whole cluster made of values, behind the interface that drivers use: fleet, machines, registrations, a clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

from fleetcaptain.discovery.values import Registration
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.values import DesiredState, FleetUnit, Machine, UnitState
from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observed import Snapshot
from fleetcaptain.units.render import Mark, render
from fleetcaptain.units.text import content, parse

APP = "shop"


def text_of(service: str, **words: Any) -> str:
    """The text of a service's unit, with its mark."""
    return render(
        ServiceSpec(service, **{"description": service, "image": "redis:7", **words}), Mark(APP, "shop/dev", service)
    )


_LOST_SEC = 30.0


@dataclass
class World:
    """Units become what they should be *delay* seconds after each wish. *away* are machines that do not answer,
    *homeless* units that no machine takes; *blind* is for how many more looks nothing answers. *history* has one word
    for each wish. *events* are (second, kill or return, machine). *taken_down* has, for each that ran and was taken
    down, its name and what was down already. With *zones* each machine is one."""

    machines: list[str] = field(default_factory=lambda: ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    delay: float = 2
    now: float = 0
    blind: int = 0
    away: set[str] = field(default_factory=set)
    homeless: set[str] = field(default_factory=set)
    units: dict[str, FleetUnit] = field(default_factory=dict)
    wished: dict[str, float] = field(default_factory=dict)
    runs: dict[str, tuple[str, int]] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    least_up: int = 10_000
    zones: bool = False
    events: list[tuple[float, str, str]] = field(default_factory=list)
    taken_down: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    app: str = APP

    def clock(self) -> float:
        """Seconds since the beginning."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes, and units become what was wished."""
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            (self._kill if event[1] == "kill" else self.away.discard)(event[2])
        for name, moment in self.wished.items():
            if self.now - moment >= self.delay:
                self._settle(name)
        self.least_up = min(self.least_up, len(self.runs))

    def look(self, _since: float | None = None) -> Snapshot:
        """What fleet and etcd would answer."""
        if self.blind:
            self.blind -= 1
            raise ClusterUnreachable("nobody answers")
        machines = [Machine(ip, ip, {"zone": ip} if self.zones else {}) for ip in self.machines if ip not in self.away]
        states = [
            UnitState(name, str(self.units[name].machine_id), sha1, "loaded", "active", "running")
            for name, (sha1, _) in self.runs.items()
        ]
        registered = [
            Registration(name.partition("@")[0], name, sha1, "m", "10.0.0.1") for name, (sha1, _) in self.runs.items()
        ]
        return Snapshot.of(self.units.values(), states, machines, registered)

    def put(self, name: str, text: str, desired: DesiredState) -> None:
        """A new text: what runs goes down now, and comes up with it."""
        self.history.append(f"put {name}")
        place = self.machines[len(self.units) % len(self.machines)] if name not in self.units else None
        machine = None if name in self.homeless else place or self.units[name].machine_id
        if name in self.runs and self.units[name].content != content(text):
            self.taken_down.append((name, frozenset(self.units.keys() - self.runs.keys())))
            del self.runs[name]
        self.units[name] = FleetUnit(name, parse(text), str(desired), "launched", machine)
        self.wished[name] = self.now

    def set_desired(self, name: str, desired: DesiredState) -> None:
        """Another desired state, or the same again: a nudge."""
        if self.units[name].desired != desired:
            self.history.append(f"{desired} {name}")
            self.wished[name] = self.now
        self.units[name] = replace(self.units[name], desired=str(desired))

    def running(self, service: str, instances: int, **words: Any) -> tuple[str, ...]:
        """*instances* of *service* that run since long."""
        names = tuple(f"{service}@{number}.service" for number in range(1, instances + 1))
        for name in names:
            self.put(name, text_of(service, **words), DesiredState.LAUNCHED)
            self._settle(name)
        self.history.clear()
        return names

    def cluster(self) -> Cluster:
        """This world, as a driver takes it."""
        shown: Any = SimpleNamespace(
            app=APP,
            fleet=self,
            clock=self.clock,
            sleep=self.sleep,
            look=self.look,
            put=lambda name, text: self.put(name, text, DesiredState.LAUNCHED),
            ask=self.set_desired,
            nudge=self.set_desired,
            facts=_nothing,
            journal=_nothing,
            run=self.run,
        )
        return cast(Cluster, shown)

    def run(self, _address: str, _argv: list[str], _timeout_sec: float) -> str | None:
        """No machine can be reached but through fleet."""
        return None

    def zone_of(self, name: str) -> str:
        """The machine of a unit, which is its zone."""
        return str(self.units[name].machine_id)

    def _kill(self, machine: str) -> None:
        """What ran there runs no more; fleet gives it to another machine after half a minute."""
        self.away.add(machine)
        for name, unit in self.units.items():
            if unit.machine_id == machine:
                self.runs.pop(name, None)
                self.wished[name] = self.now + _LOST_SEC

    def _settle(self, name: str) -> None:
        unit = self.units[name]
        alive = [machine for machine in self.machines if machine not in self.away]
        if unit.machine_id in self.away and alive and self.now - self.wished[name] >= self.delay:
            unit = replace(unit, machine_id=alive[len(name + unit.content) % len(alive)])
        launched = unit.desired == "launched"
        self.units[name] = replace(unit, current=unit.desired)
        if launched and unit.machine_id and unit.machine_id not in self.away:
            _, times = self.runs.get(name, ("", 0))
            self.runs[name] = (unit.content, times + (name not in self.runs))
        elif not launched:
            self.runs.pop(name, None)


def _nothing(_instance: object) -> dict[str, str]:
    return {}
