"""A whole cluster in memory: the product's own `Cluster` on a simulated fleet, machines, registrations and a clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fleetcaptain.discovery.keys import registration_key
from fleetcaptain.errors import ClusterUnreachable, FleetApiError
from fleetcaptain.fleet.entities import DesiredState, Machine, UnitEntity, UnitState
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.rollout.cluster import Cluster, Run
from fleetcaptain.rollout.placement import admitted
from fleetcaptain.units.mark import Mark, Ownership
from fleetcaptain.units.names import instance_names
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_etcd import FakeEtcd

__all__ = ["APP", "MACHINES", "STACK", "FakeCluster", "text_of"]

APP = "shop"
STACK = "fleetcaptain/prod"
MACHINES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
_LOST_SEC = 30.0
# A read takes time: an action comes after the snapshot that caused it.
_READ_SEC = 0.001


def text_of(service: str = "web", /, *, app: str = APP, stack: str = STACK, **keywords: Any) -> str:
    """The text of a service's unit, with its mark and without an image line."""
    spec = ServiceSpec(service, **{"description": service, "image": "redis:7", **keywords})
    return render(spec, Mark(app, stack, service)).text


class FakeCluster(Cluster):
    """A cluster on which *units* (name -> text) run and are registered, as the stack `STACK` has it. A machine's id is
    its address.

    A unit reaches its desired state *delay* seconds after the request, on the cluster's own clock; only reads and
    sleeps move it. *events* are (second, ``kill`` or ``return``, machine). With *zones* each machine is its own zone.
    *homeless* units get no machine. *run* executes commands on machines; by default none can be reached. *binds* maps
    units to those that systemd stops with them.

    *blind*: how many more reads fail. *away*: the machines that are down. *runs*: the unit_hash of each running unit.
    *dead*: that of each unit that its machine has, and that does not run. fleet starts such a unit only after it has
    stopped it itself.
    *least_up*: the fewest units that ran at any time. *history*: one entry for each change, ``put``, a desired state or
    ``delete``, and the unit. *taken_down*: for each running unit that was replaced, its name and the units that were
    down at that moment.
    """

    def __init__(
        self,
        units: Mapping[str, str] | None = None,
        *,
        app: str = APP,
        machines: Iterable[str] = MACHINES,
        delay: float = 2,
        zones: bool = False,
        homeless: Iterable[str] = (),
        events: Iterable[tuple[float, str, str]] = (),
        binds: Mapping[str, Iterable[str]] | None = None,
        run: Run = lambda *_: None,
    ) -> None:
        self.etcd = FakeEtcd()
        super().__init__(app, _Fleet(self), self.etcd.store, run, clock=lambda: self.now, sleep=self._pass)
        self.ownership = Ownership(app, STACK)
        self.machines = list(machines)
        self.delay, self.zones, self.homeless, self.events = delay, zones, frozenset(homeless), list(events)
        self.now = 0.0
        self.blind = 0
        self.away: set[str] = set()
        self.units: dict[str, UnitEntity] = {}
        self.requested: dict[str, float] = {}
        self.runs: dict[str, str] = {}
        self.dead: dict[str, str] = {}
        self.binds = binds or {}
        self.least_up = 10_000
        self.history: list[str] = []
        self.taken_down: list[tuple[str, frozenset[str]]] = []
        self._registered: dict[str, tuple[str, str]] = {}
        for name, text in (units or {}).items():
            self.launch(name, text)

    def launch(self, name: str, text: str) -> None:
        """The unit *name* has been running *text* for a long time."""
        self._accept(name, UnitFile.parse(text), DesiredState.LAUNCHED)
        self._reach(name)
        self.history.clear()

    def launch_service(self, service: str, instances: int, **keywords: Any) -> tuple[str, ...]:
        """So many *instances* of *service* have been running for a long time. Returns their names."""
        names = instance_names(service, instances)
        for name in names:
            self.launch(name, text_of(service, **keywords))
        return names

    def halt(self, name: str) -> None:
        """``systemctl stop`` on the unit's machine, of which fleet learns nothing; or the unit ended by itself."""
        unit_hash = self.runs[name]
        self._stop(name)
        self.dead[name] = unit_hash

    def zone_of(self, name: str) -> str:
        """The machine of a unit, which is its zone."""
        return str(self.units[name].machine_id)

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            (self._kill if event[1] == "kill" else self.away.discard)(event[2])
        for name, moment in list(self.requested.items()):
            if self.now - moment >= self.delay:
                self._reach(name)
        self.least_up = min(self.least_up, len(self.runs))

    def _accept(self, name: str, file: UnitFile, desired: DesiredState) -> None:
        """A new text: a running unit goes down now, and comes up with it."""
        self.history.append(f"put {name}")
        unit = self.units.get(name)
        if unit and name in self.dead and unit.unit_hash == file.unit_hash and unit.current == desired:
            return
        place = unit.machine_id if unit else self._placed(name, file)
        if unit and place is None:
            place = min(self._admitting(name, file), key=lambda machine: (self._load(machine), machine), default=None)
        if unit and name in self.runs and unit.unit_hash != file.unit_hash:
            self.taken_down.append((name, frozenset(self.units.keys() - self.runs.keys())))
            self._stop(name)
        self.dead.pop(name, None)
        machine = None if name in self.homeless else place
        self.units[name] = UnitEntity(name, file, str(desired), "launched", machine)
        self.requested[name] = self.now

    def _placed(self, name: str, file: UnitFile) -> str | None:
        """The machine of a new unit: one after the other, as long as no rule decides."""
        admitting = self._admitting(name, file)
        every = len(admitting) == len(self.machines) or file.rules(name).is_global
        return self.machines[len(self.units) % len(self.machines)] if every else next(iter(admitting), None)

    def _admitting(self, name: str, file: UnitFile) -> list[str]:
        """The machines that fleet's rules admit for a unit; fleet knows no ports."""
        others = {
            other: (replace(unit.file.needs(other), ports=frozenset()), unit.machine_id)
            for other, unit in self.units.items()
            if other != name and unit.machine_id
        }
        need = replace(file.needs(name), ports=frozenset())
        known = {
            machine: Machine(machine, machine, {"zone": machine} if self.zones else {}) for machine in self.machines
        }
        return [id_ for id_, machine in known.items() if admitted(need, machine, others)]

    def _load(self, machine: str) -> int:
        return sum(unit.machine_id == machine for unit in self.units.values())

    def _ask(self, name: str, desired: DesiredState) -> None:
        """Another desired state; the same again is a nudge, and changes nothing."""
        if name not in self.units:
            raise FleetApiError(f"there is no unit {name}", 409)
        if self.units[name].desired != desired:
            self.history.append(f"{desired} {name}")
            self.requested[name] = self.now
            self.units[name] = replace(self.units[name], desired=str(desired))

    def _forget(self, name: str) -> bool:
        self.history.append(f"delete {name}")
        self._stop(name)
        self.dead.pop(name, None)
        self.requested.pop(name, None)
        return self.units.pop(name, None) is not None

    def _kill(self, machine: str) -> None:
        """The units on the machine stop; fleet moves them to another one after half a minute."""
        self.away.add(machine)
        for name, unit in self.units.items():
            if unit.machine_id == machine:
                self._stop(name)
                self.dead.pop(name, None)
                self.requested[name] = self.now + _LOST_SEC

    def _reach(self, name: str) -> None:
        """The unit reaches its desired state, if its machine is up."""
        unit = self.units[name]
        alive = [machine for machine in self.machines if machine not in self.away]
        if unit.machine_id in self.away and alive and self.now - self.requested[name] >= self.delay:
            unit = replace(unit, machine_id=alive[len(name + unit.unit_hash) % len(alive)])
        peers = [self.units[peer].machine_id for peer in unit.file.rules(name).machine_of if peer in self.units]
        if any(peer != unit.machine_id for peer in peers):
            unit = replace(unit, machine_id=None)
        if unit.current != unit.desired:
            unit = replace(unit, current=unit.desired)
        if unit.desired == DesiredState.INACTIVE:
            unit = replace(unit, machine_id=None)
        elif unit.machine_id is None and name not in self.homeless and all(peers):
            found = self._admitting(name, unit.file)
            unit = replace(unit, machine_id=min(found, key=lambda one: (self._load(one), one), default=None))
        self.units[name] = unit
        if unit.desired != DesiredState.LAUNCHED:
            self._stop(name)
            self.dead.pop(name, None)
        elif name not in {**self.runs, **self.dead} and unit.machine_id and unit.machine_id not in self.away:
            self.runs[name] = unit.unit_hash
            self._register(unit)
        for other, follower in self.units.items():
            moved = name in follower.file.rules(other).machine_of and follower.machine_id != unit.machine_id
            if moved and other in self.runs:
                self._stop(other)
                self.requested[other] = self.now

    def _register(self, unit: UnitEntity) -> None:
        mark = unit.mark
        service = mark.service if mark else unit.name.partition("@")[0]
        known = {"service": service, "unit": unit.name, "content": unit.unit_hash, "machine": unit.machine_id}
        key = registration_key(self.app, service, unit.name)
        self._registered[unit.name] = (key, self.etcd.put(key, json.dumps({**known, "host": unit.machine_id})))

    def _stop(self, name: str) -> None:
        """The unit stops and removes its registration; one that another client changed stays. So does what is bound to
        it, of which fleet learns nothing."""
        if self.runs.pop(name, None):
            key, value = self._registered.pop(name)
            if self.etcd.values.get(key) == value:
                self.etcd.remove(key)
            for bound in self.binds.get(name, ()):
                if bound in self.runs:
                    self.halt(bound)


class _Fleet(FleetClient):
    """fleet's API, as the simulated cluster answers it."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def server(self) -> str:
        return "fleetd/1.0.0"

    def units(self) -> tuple[UnitEntity, ...]:
        self._cluster.now += _READ_SEC
        if self._cluster.blind:
            self._cluster.blind -= 1
            raise ClusterUnreachable("nothing answers")
        return tuple(self._cluster.units.values())

    def unit(self, name: str) -> UnitEntity | None:
        return self._cluster.units.get(name)

    def states(self) -> tuple[UnitState, ...]:
        units = self._cluster.units
        return tuple(
            UnitState(name, str(units[name].machine_id), unit_hash, "loaded", "active", "running")
            for name, unit_hash in self._cluster.runs.items()
        ) + tuple(
            UnitState(name, str(units[name].machine_id), unit_hash, "loaded", "inactive", "dead")
            for name, unit_hash in self._cluster.dead.items()
        )

    def machines(self) -> tuple[Machine, ...]:
        there = [address for address in self._cluster.machines if address not in self._cluster.away]
        return tuple(Machine(ip, ip, {"zone": ip} if self._cluster.zones else {}) for ip in there)

    def put(self, name: str, file: UnitFile, desired: DesiredState) -> None:
        self._cluster._accept(name, file, desired)

    def set_desired(self, name: str, desired: DesiredState) -> None:
        self._cluster._ask(name, desired)

    def delete(self, name: str) -> bool:
        return self._cluster._forget(name)
