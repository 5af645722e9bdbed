"""The two units that keep fleet from placing others on a machine in maintenance. Pure.

fleet has no such state of a machine. A unit that is on the machine and conflicts with every unit that is not has the
same effect. fleet refuses a unit with both MachineID and Conflicts, so one is bound to the machine, and the other one,
with the conflicts, to it. fleet would move all units with a conflict at once: so none is named while it is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fleetcaptain.fleet.entities import Machine
from fleetcaptain.rollout.observe import Snapshot, is_fleet_global
from fleetcaptain.units.mark import Mark, Ownership, is_auxiliary, mark_options
from fleetcaptain.units.names import periodic_units, task_unit
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import Option
from fleetcaptain.units.xfleet import glob_matches

__all__ = ["conflicts_on", "cordon_files", "cordon_service", "in_maintenance", "is_cordon", "on_machine"]

# No service has a dot in its name.
_SERVICE = "maintenance."
_ID_DIGITS = 8
_NUMBERED = re.compile(r".+@[0-9]{1,3}\.service")
_NUMBERED_GLOBS = ("*@[0-9].service", "*@[0-9][0-9].service", "*@[0-9][0-9][0-9].service")
# A timer is placed where its service is.
_TASKS = (task_unit("*", "*"), periodic_units("*")[0])


def cordon_service(machine_id: str) -> str:
    """The service in the marks of the units for the machine *machine_id*; its rollouts' lock has this name too."""
    return f"{_SERVICE}{machine_id[:_ID_DIGITS]}"


def is_cordon(mark: Mark | None) -> bool:
    """Whether a unit with this *mark* is one of these units."""
    return mark is not None and mark.service.startswith(_SERVICE)


def in_maintenance(ownership: Ownership, snapshot: Snapshot) -> tuple[Machine, ...]:
    """The machines for which *ownership* has such units; one that fleet does not list has no address."""
    closed = {
        unit.file.needs(name).machine_id
        for name, unit in snapshot.units.items()
        if is_cordon(unit.mark) and ownership.owns(name, unit.mark)
    }
    return tuple(snapshot.machines.get(id_) or Machine(id_, "") for id_ in sorted(closed - {""}))


def on_machine(snapshot: Snapshot, machine_id: str) -> tuple[str, ...]:
    """The units that fleet has placed on a machine, of every owner, but for these units and fleet's global ones."""
    return tuple(
        sorted(
            name
            for name, unit in snapshot.units.items()
            if unit.machine_id == machine_id and not is_auxiliary(unit.mark) and not is_fleet_global(unit)
        )
    )


def conflicts_on(snapshot: Snapshot, machine_id: str) -> tuple[str, ...]:
    """The globs of the units that may not come to a machine: once no numbered instance is there any more, those of
    all services; until then, the names of the units that are elsewhere. And those of tasks; while one is there, of
    periodic ones those that are elsewhere."""
    there = on_machine(snapshot, machine_id)
    tasks = tuple(glob for glob in _TASKS if not any(glob_matches(glob, name) for name in there))
    is_empty = not any(map(_NUMBERED.fullmatch, there))
    elsewhere = (
        name
        for name, unit in snapshot.units.items()
        if name not in there
        and not is_auxiliary(unit.mark)
        and not is_fleet_global(unit)
        and (not is_empty or unit.file.periodic)
    )
    named = (name.replace("\\", "\\\\") for name in sorted(elsewhere))
    return (*(_NUMBERED_GLOBS if is_empty else ()), *named, *tasks)


def cordon_files(ownership: Ownership, machine: Machine, conflicts: Iterable[str]) -> Mapping[str, UnitFile]:
    """Name -> file: the unit that is bound to *machine*, and the one that has the *conflicts*, in this order."""
    service = cordon_service(machine.id)
    anchor, gate = (f"{ownership.app}.{service.replace('.', '-', 1)}{end}.service" for end in ("-at", ""))
    mark = mark_options(Mark(ownership.app, ownership.stack, service))
    bound = (Option("X-Fleet", "MachineID", machine.id),)
    conflicting = tuple(Option("X-Fleet", "Conflicts", glob) for glob in conflicts)
    return {
        anchor: UnitFile((*_idle(machine), *bound, *mark)),
        gate: UnitFile((*_idle(machine), Option("X-Fleet", "MachineOf", anchor), *conflicting, *mark)),
    }


def _idle(machine: Machine) -> tuple[Option, ...]:
    return (
        Option("Unit", "Description", f"Maintenance of {machine.ip or machine.id}: fleet places no unit here"),
        Option("Service", "Type", "oneshot"),
        Option("Service", "RemainAfterExit", "yes"),
        Option("Service", "ExecStart", "/bin/true"),
    )
