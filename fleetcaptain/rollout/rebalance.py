"""Which instances to move so that a service, and then the cluster, is spread better. Pure.

fleet never moves a unit by itself. When a unit is stopped and started again, fleet's engine takes the machine with the
fewest units that its rules admit, the one with the smallest id of several (engine/scheduler.go). It knows nothing of
ports or of services, so a move is predicted by its rule, and made only where the result is better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from fleetcaptain.fleet.entities import DesiredState, Machine
from fleetcaptain.rollout.observe import Snapshot, is_fleet_global
from fleetcaptain.rollout.placement import admitted
from fleetcaptain.units.unit_file import Need

__all__ = ["Move", "Placement", "placement_of", "plan_moves", "why_fixed"]


@dataclass(frozen=True)
class Move:
    """The *unit* of a *service* stops on the machine *source* and starts on *destination* (ids)."""

    unit: str
    service: str
    source: str
    destination: str


@dataclass(frozen=True)
class Placement:
    """Every unit that has a machine: name -> its need and the machine's id (*units*), the *machines* by their ids, and
    the *services* to balance, each with its units."""

    units: Mapping[str, tuple[Need, str]]
    machines: Mapping[str, Machine]
    services: Mapping[str, tuple[str, ...]]

    def load(self, machine: str) -> int:
        """How many units *machine* has, as fleet counts them."""
        return self._loads[machine]

    def count(self, service: str, machine: str) -> int:
        """How many units of *service* *machine* has."""
        return sum(self.units[name][1] == machine for name in self.services[service] if name in self.units)

    def destination(self, unit: str) -> str:
        """The id of the machine that fleet takes for *unit* when it is stopped and started again; "" if none does, or
        if a fixed port is taken there, which fleet does not know."""
        need, source = self.units[unit]
        bare = replace(need, ports=frozenset())
        loads = {**self._loads, source: self._loads[source] - 1}
        peers = {name: self.units[name] for name in need.machine_of if name in self.units}
        for machine in sorted(self.machines.values(), key=lambda one: (loads.get(one.id, 0), one.id)):
            others = {**peers, **self._there.get(machine.id, {})}
            others.pop(unit, None)
            if admitted(bare, machine, others):
                return machine.id if admitted(need, machine, others) else ""
        return ""

    @cached_property
    def _loads(self) -> Counter[str]:
        return Counter(where for _, where in self.units.values())

    @cached_property
    def _there(self) -> dict[str, dict[str, tuple[Need, str]]]:
        """The units of each machine."""
        found: dict[str, dict[str, tuple[Need, str]]] = {}
        for name, placed in self.units.items():
            found.setdefault(placed[1], {})[name] = placed
        return found

    def after(self, move: Move) -> Placement:
        """This placement after *move*."""
        need, _ = self.units[move.unit]
        return replace(self, units={**self.units, move.unit: (need, move.destination)})


def placement_of(snapshot: Snapshot, services: Mapping[str, tuple[str, ...]]) -> Placement:
    """The placement in *snapshot*, of which *services* may be moved. fleet's own global units count nowhere."""
    units = {
        name: (unit.file.needs(name), unit.machine_id)
        for name, unit in snapshot.units.items()
        if unit.machine_id and not is_fleet_global(unit)
    }
    return Placement(units, snapshot.machines, services)


def why_fixed(names: Collection[str], snapshot: Snapshot) -> str:
    """Why no instance of a service, the units *names*, can be moved without an outage; "" if they can."""
    files = [snapshot.units[name].file for name in names]
    if any(file.is_task for file in files):
        return "it is a task, which has ended"
    if all(file.needs(name).machine_id for name, file in zip(names, files, strict=True)):
        return "its units are bound to their machines"
    if len(names) == 1:
        return "it has one instance, which would be down meanwhile"
    return ""


def plan_moves(
    snapshot: Snapshot, services: Mapping[str, tuple[str, ...]], *, moved: Collection[str] = ()
) -> list[Move]:
    """The moves of *services* (name -> units), in order; each spreads its service better, or the cluster without
    spreading its service worse. No unit moves twice; those in *moved* have moved already."""
    placement = placement_of(snapshot, services)
    followed = {peer for need, _ in placement.units.values() for peer in need.machine_of}
    left = {
        unit: service
        for service, names in services.items()
        for unit in names
        if unit not in moved and unit not in followed and _runs(unit, snapshot)
    }
    moves: list[Move] = []
    while best := _best(placement, left):
        moves.append(best)
        del left[best.unit]
        placement = placement.after(best)
    return moves


def _best(placement: Placement, left: Mapping[str, str]) -> Move | None:
    found = [(gain, move) for move, gain in _gains(placement, left) if gain > (0, 0) and gain[0] >= 0]
    return min(found, key=lambda one: ((-one[0][0], -one[0][1]), one[1].unit))[1] if found else None


def _gains(placement: Placement, left: Mapping[str, str]) -> Iterator[tuple[Move, tuple[int, int]]]:
    """Each move that fleet would make, and what it gains: for the service, and for the cluster. Of instances with the
    same rules on one machine the first one stands for all."""
    seen = set()
    for unit, service in sorted(left.items()):
        need, source = placement.units[unit]
        rules = (service, source, need.machine_id, need.machine_of, need.conflicts)
        if rules in seen:
            continue
        seen.add(rules)
        destination = placement.destination(unit)
        if destination not in ("", source):
            of_service = placement.count(service, source) - placement.count(service, destination) - 1
            of_cluster = placement.load(source) - placement.load(destination) - 1
            yield Move(unit, service, source, destination), (of_service, of_cluster)


def _runs(name: str, snapshot: Snapshot) -> bool:
    unit = snapshot.units[name]
    return unit.desired == DesiredState.LAUNCHED and unit.machine_id in snapshot.machines
