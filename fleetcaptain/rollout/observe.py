"""The observed state of the cluster: snapshots, their instances, and services shaped like their desired state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.fleet.entities import Machine, UnitEntity, UnitState
from fleetcaptain.printable import printable
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.placement import admits
from fleetcaptain.schedule.stored_windows import ServiceWindows
from fleetcaptain.schedule.window_plan import WindowPlan
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.untrusted import Ignored

__all__ = [
    "LAUNCHED",
    "Live",
    "Snapshot",
    "instances_of",
    "is_fleet_global",
    "live",
    "observe",
    "owned_files",
    "rows_of",
]

LAUNCHED = "launched"


@dataclass(frozen=True)
class Snapshot:
    """The state of the cluster at one time: units, machines, systemd's states of the units, and registrations.
    *ignored* are the values in etcd that are not registrations. *windows* maps a service to what etcd has of its
    windows."""

    units: Mapping[str, UnitEntity]
    states: tuple[UnitState, ...]
    machines: Mapping[str, Machine]
    registrations: Mapping[str, Registration]
    ignored: tuple[Ignored, ...] = ()
    windows: Mapping[str, ServiceWindows] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        units: Iterable[UnitEntity],
        states: Iterable[UnitState],
        machines: Iterable[Machine],
        registrations: Iterable[Registration],
        ignored: Iterable[Ignored] = (),
    ) -> Snapshot:
        """Index the four lists by name. A unit's registration under its own service takes precedence. A
        registration by a machine other than the one that fleet has the unit on is left out."""
        by_name = {unit.name: unit for unit in units}
        entries = sorted(registrations, key=_is_of_its_unit)
        return cls(
            by_name,
            tuple(states),
            {machine.id: machine for machine in machines},
            {entry.unit: entry for entry in entries if _fits(entry, by_name.get(entry.unit))},
            tuple(ignored),
        )

    def window_plan(self, service: str) -> WindowPlan | None:
        """The plan that the machine agents follow for the windows of *service*, if it has some."""
        windows = self.windows.get(service)
        return windows.plan if windows is not None else None

    @cached_property
    def waiting(self) -> frozenset[str]:
        """The units that wait for a window: they run only while it is open."""
        return frozenset(
            name
            for windows in self.windows.values()
            for name in (windows.plan.extra_names if windows.plan else ())
            if name in self.units and self.units[name].desired != LAUNCHED
        )

    @property
    def live(self) -> tuple[Registration, ...]:
        """The registrations of units that are active on their machine. The registrations of a
        crashed machine stay in etcd for some seconds."""
        active = {(state.name, state.machine_id) for state in self.states if state.active in ("active", "reloading")}
        reported = {state.name for state in self.states}
        return tuple(
            entry
            for entry in self.registrations.values()
            if (entry.unit, entry.machine) in active or (entry.unit not in reported and self._is_placed(entry))
        )

    def _is_placed(self, entry: Registration) -> bool:
        """Whether *entry* matches the machine that fleet has its unit on. For 12 to 23 s after a unit has moved, fleet
        shows no state of it although it runs: its old machine removes the states of every machine."""
        unit = self.units.get(entry.unit)
        return (
            unit is not None
            and unit.desired == "launched"
            and (unit.machine_id, unit.unit_hash) == (entry.machine, entry.unit_hash)
            and entry.machine in self.machines
        )


def _fits(entry: Registration, unit: UnitEntity | None) -> bool:
    return unit is None or unit.machine_id is None or unit.machine_id == entry.machine


def _is_of_its_unit(entry: Registration) -> bool:
    """Whether *entry* is of the service that its unit is named after."""
    return entry.unit.startswith(entry.service) and entry.unit.removeprefix(entry.service)[:1] in ("@", "-", ".")


def observe(name: str, snapshot: Snapshot, zone_key: str = "zone") -> Instance:
    """The instance *name* in *snapshot*. Of several states the one on the unit's own machine counts.

    *zone_key* names the metadata with the failure domain of a machine.
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
        unit_hash=unit.unit_hash if unit else None,
        desired=str(unit.desired) if unit else "inactive",
        current=str(unit.current) if unit else "inactive",
        machine=machine.ip if machine else None,
        running=state.unit_hash if state else None,
        active=state.active if state else "",
        sub=state.sub if state else "",
        registered=registration.unit_hash if registration and not registration.withdrawn else None,
        lost=bool(unit and unit.machine_id and unit.machine_id not in snapshot.machines),
        zone=machine.metadata.get(zone_key, "") if machine else "",
        failing=registration.failing if registration and state and registration.unit_hash == state.unit_hash else "",
    )


def owned_files(ownership: Ownership, snapshot: Snapshot) -> dict[str, UnitFile]:
    """Name -> file of all units on the cluster that *ownership* covers, tasks' units too."""
    return {name: unit.file for name, unit in snapshot.units.items() if ownership.owns(name, unit.mark)}


def instances_of(ownership: Ownership, service: str, snapshot: Snapshot) -> tuple[str, ...]:
    """The names of all units on the cluster that *ownership* covers and whose mark names *service*. The units of a task
    are no instances."""
    found = []
    for name, unit in snapshot.units.items():
        mark = unit.mark
        if mark is not None and mark.service == service and not unit.file.of_task and ownership.owns(name, mark):
            found.append(name)
    return tuple(sorted(found))


@dataclass(frozen=True)
class Live:
    """The observed state of a service: the *file* to compare with (if instances differ, one that differs), the number
    of *instances*, their *names*, their *machines*, and *state*: `LAUNCHED`, or the instances that are not."""

    file: UnitFile
    instances: int
    state: str
    names: tuple[str, ...]
    machines: tuple[str, ...]


def live(ownership: Ownership, service: str, unit_hash: str, snapshot: Snapshot) -> Live | None:
    """The observed state of the units of *service* that *ownership* covers; *unit_hash* is their desired SHA1. Those
    that wait for a window need not run.

    None if it has no units.
    """
    present = instances_of(ownership, service, snapshot)
    if not present:
        return None
    observed = [instance for name in present for instance in _instances(name, snapshot)]
    other = [instance for instance in observed if instance.unit_hash != unit_hash]
    shown = (other or observed)[0].name if observed else present[0]
    running = [one for one in observed if one.name not in snapshot.waiting]
    troubled = list(dict.fromkeys(filter(None, map(_trouble, running))))
    if len({instance.unit_hash for instance in observed}) > 1:
        # Reported even if the shown text is the desired one; otherwise an interrupted rollout looks like a complete
        # one.
        troubled.append(f"{', '.join(instance.name for instance in other or observed)} differ from the others")
    file = snapshot.units[shown].file
    if printable(file.text) != file.text:
        # Reported here, since the text as it is printed may equal the desired one.
        troubled.append(f"{shown} has characters in its text that are shown as escapes")
    machines = {instance.machine for instance in observed if instance.machine}
    return Live(
        file=file,
        instances=_without_extra(service, present, snapshot),
        state=", ".join(troubled) or LAUNCHED,
        names=present,
        machines=tuple(sorted(machines)),
    )


def _without_extra(service: str, present: tuple[str, ...], snapshot: Snapshot) -> int:
    """How many instances *present* are, without those that only windows need, if all of these are there."""
    plan = snapshot.window_plan(service)
    return plan.base if plan is not None and len(present) == plan.most else len(present)


def _instances(name: str, snapshot: Snapshot) -> tuple[Instance, ...]:
    unit = snapshot.units[name]
    return rows_of(name, snapshot, unit.file) if is_fleet_global(unit) else (observe(name, snapshot),)


def _trouble(instance: Instance) -> str:
    if instance.desired != "launched":
        return f"{instance.name} {instance.desired}"
    if instance.active == "failed" or instance.halted:
        return f"{instance.name} {instance.active}"
    if instance.unit_hash is not None and instance.stale_process(instance.unit_hash):
        return f"{instance.name} runs another text"
    return ""


def is_fleet_global(unit: UnitEntity) -> bool:
    """Whether fleet starts *unit* on every machine, as the machine agent."""
    return unit.file.rules(unit.name).is_global


def rows_of(name: str, snapshot: Snapshot, file: UnitFile) -> tuple[Instance, ...]:
    """One instance per machine on which the global unit *name* should run, in the order of addresses. fleet does
    not report its progress on each; its current state is assumed to be the desired one."""
    unit = snapshot.units.get(name)
    unit_hash, desired = (unit.unit_hash, str(unit.desired)) if unit else (None, "inactive")
    states = {state.machine_id: state for state in snapshot.states if state.name == name}
    rows = []
    for machine in sorted(snapshot.machines.values(), key=lambda machine: machine.ip):
        if admits(name, file, machine):
            state = states.get(machine.id)
            rows.append(
                Instance(
                    name=name,
                    unit_hash=unit_hash,
                    desired=desired,
                    current=desired,
                    machine=machine.ip,
                    running=state.unit_hash if state else None,
                    active=state.active if state else "",
                    sub=state.sub if state else "",
                )
            )
    return tuple(rows)
