"""One look at the cluster, and each instance put together from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleetcaptain.discovery.values import Registration
from fleetcaptain.fleet.values import FleetUnit, Machine, UnitState
from fleetcaptain.rollout.instance import Instance
from fleetcaptain.units.mark import Ownership
from fleetcaptain.untrusted import Ignored

__all__ = ["Snapshot", "instances_of", "observe"]


@dataclass(frozen=True)
class Snapshot:
    """One look at the cluster: its units and machines, what systemd says of the units, and what is registered.
    *ignored* are the values in etcd that are no registrations."""

    units: Mapping[str, FleetUnit]
    states: tuple[UnitState, ...]
    machines: Mapping[str, Machine]
    registrations: Mapping[str, Registration]
    ignored: tuple[Ignored, ...] = ()

    @classmethod
    def of(
        cls,
        units: Iterable[FleetUnit],
        states: Iterable[UnitState],
        machines: Iterable[Machine],
        registrations: Iterable[Registration],
        ignored: Iterable[Ignored] = (),
    ) -> Snapshot:
        """Index the four lists by name. What an app registers under another service's name counts less. What is
        registered by another machine than the one that fleet has the unit on is left out."""
        by_name = {unit.name: unit for unit in units}
        entries = sorted(registrations, key=_is_of_its_unit)
        return cls(
            by_name,
            tuple(states),
            {machine.id: machine for machine in machines},
            {entry.unit: entry for entry in entries if _fits(entry, by_name.get(entry.unit))},
            tuple(ignored),
        )

    @property
    def live(self) -> tuple[Registration, ...]:
        """The registrations of units that are active on their machine. A machine that crashed leaves registrations
        behind, which etcd keeps for a minute."""
        active = {(state.name, state.machine_id) for state in self.states if state.active in ("active", "reloading")}
        reported = {state.name for state in self.states}
        return tuple(
            entry
            for entry in self.registrations.values()
            if (entry.unit, entry.machine) in active or (entry.unit not in reported and self._is_placed(entry))
        )

    def _is_placed(self, entry: Registration) -> bool:
        """Whether *entry* fits where fleet has its unit now. For 12 to 23 s after a unit has moved fleet shows no state
        of it at all, though it runs: its old machine removes the states of every machine."""
        unit = self.units.get(entry.unit)
        return (
            unit is not None
            and unit.desired == "launched"
            and (unit.machine_id, unit.content) == (entry.machine, entry.content)
            and entry.machine in self.machines
        )


def _fits(entry: Registration, unit: FleetUnit | None) -> bool:
    return unit is None or unit.machine_id is None or unit.machine_id == entry.machine


def _is_of_its_unit(entry: Registration) -> bool:
    """Whether *entry* is of the service that its unit is named after."""
    return entry.unit.startswith(entry.service) and entry.unit.removeprefix(entry.service)[:1] in ("@", "-", ".")


def observe(name: str, snapshot: Snapshot, zone_key: str = "zone") -> Instance:
    """The instance *name* as *snapshot* shows it. Of several states the one on the unit's own machine counts.

    *zone_key* names the metadata that says in which failure domain a machine is.
    """
    unit = snapshot.units.get(name)
    states = [state for state in snapshot.states if state.name == name]
    if unit is not None and unit.machine_id:
        states = [state for state in states if state.machine_id == unit.machine_id] or states
    state = states[0] if states else None
    machine_id = (unit.machine_id if unit else None) or (state.machine_id if state else None)
    machine = snapshot.machines.get(machine_id or "")
    registration = snapshot.registrations.get(name)
    return Instance(
        name=name,
        content=unit.content if unit else None,
        desired=str(unit.desired) if unit else "inactive",
        current=str(unit.current) if unit else "inactive",
        machine=machine.ip if machine else None,
        running=state.content if state else None,
        active=state.active if state else "",
        sub=state.sub if state else "",
        registered=registration.content if registration and not registration.draining else None,
        lost=bool(unit and unit.machine_id and unit.machine_id not in snapshot.machines),
        zone=machine.metadata.get(zone_key, "") if machine else "",
    )


def instances_of(ownership: Ownership, service: str, snapshot: Snapshot) -> tuple[str, ...]:
    """The names of all units on the cluster that *ownership* covers and whose mark names *service*."""
    found = []
    for name, unit in snapshot.units.items():
        mark = unit.mark
        if mark is not None and mark.service == service and ownership.owns(name, mark):
            found.append(name)
    return tuple(sorted(found))
