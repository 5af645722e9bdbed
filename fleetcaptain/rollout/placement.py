"""Whether fleet could place every instance, before the first one stops; and if not, why. Pure.

The rules are fleet's own (agent/state.go): MachineID, MachineMetadata, MachineOf and Conflicts; and docker's: a fixed
port of a machine is taken once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetcaptain.fleet.entities import Machine
from fleetcaptain.units.unit_file import Need, UnitFile
from fleetcaptain.units.xfleet import glob_matches

__all__ = ["admits", "apart", "candidates", "misplaced"]

_SHORT_ID = 8
_TRIES = 20_000


def admits(name: str, file: UnitFile, machine: Machine) -> bool:
    """Whether the ``MachineMetadata`` of the unit *name* admits *machine*.

    Values of one key are alternatives, keys must all fit.
    """
    metadata = file.rules(name).alternatives
    return all(machine.metadata.get(key) in values for key, values in metadata.items())


def candidates(needs: Sequence[Need], machines: Sequence[Machine]) -> tuple[Machine, ...]:
    """The machines that one of *needs* may come to, whatever else runs there."""
    return tuple(machine for machine in machines if not all(_why_not(need, machine, {}) for need in needs))


def misplaced(wanted: Sequence[Need], others: Mapping[str, tuple[Need, str]], machines: Sequence[Machine]) -> str:
    """Why *wanted* cannot all be placed; empty when they can. *others* are units that stay where they are: name ->
    their need and their machine's id."""
    if not machines:
        return ""
    for need in wanted:
        fitting = [machine.id for machine in machines if _is_called(machine, need.machine_id)]
        if need.machine_id and len(fitting) > 1:
            return f"{need.name} is for the machine {need.machine_id}, which may be {' or '.join(fitting)}; write one"
        why = {machine.ip: _why_not(need, machine, others) for machine in machines}
        if all(why.values()):
            return f"no machine can take {need.name}: " + "; ".join(f"{ip}: {reason}" for ip, reason in why.items())
    domains = {need.name: [machine for machine in machines if not _why_not(need, machine, others)] for need in wanted}
    ordered = sorted(wanted, key=lambda need: len(domains[need.name]))
    deepest = _assign(ordered, domains)
    if deepest is None:
        return ""
    rest = [need.name for need in ordered if need is not deepest and apart(need, deepest)]
    kind = "a port of its own" if any(need.ports & deepest.ports for need in ordered if need is not deepest) else "room"
    return (
        f"{len(ordered)} instances do not fit on {len(machines)} machines: {deepest.name} finds no machine with {kind} "
        f"beside {', '.join(rest[:4])}{' and others' if len(rest) > len(rest[:4]) else ''}"
    )


def _assign(needs: Sequence[Need], domains: Mapping[str, Sequence[Machine]]) -> Need | None:
    """None when every need finds a machine; else the first one that did not, on the way that went deepest. Gives up,
    as if all fit, when that takes too many tries: fleet itself will tell then."""
    taken: list[tuple[Need, str]] = []
    tries, deepest = 0, 0

    def place(index: int) -> bool:
        nonlocal tries, deepest
        tries += 1
        deepest = max(deepest, index)
        if index == len(needs) or tries > _TRIES:
            return True
        need = needs[index]
        for machine in domains[need.name]:
            if any(apart(need, other) for other, where in taken if where == machine.id):
                continue
            taken.append((need, machine.id))
            if place(index + 1):
                return True
            taken.pop()
        return False

    return None if place(0) else needs[deepest]


def _why_not(need: Need, machine: Machine, others: Mapping[str, tuple[Need, str]]) -> str:
    if need.machine_id and not _is_called(machine, need.machine_id):
        return f"MachineID asks for {need.machine_id}, it is {machine.id}"
    for key, values in (need.metadata or {}).items():
        if machine.metadata.get(key) not in values:
            return f"MachineMetadata asks for {key}={' or '.join(sorted(values))}, it has {_shown(machine, key)}"
    for name, (other, where) in others.items():
        if name in need.machine_of and where and where != machine.id:
            return f"MachineOf asks for the machine of {name}"
        if where == machine.id and apart(need, other):
            shared = sorted(need.ports & other.ports)
            return f"port {shared[0]} is taken by {name}" if shared else f"it conflicts with {name}"
    return ""


def _shown(machine: Machine, key: str) -> str:
    return f"{key}={machine.metadata[key]}" if key in machine.metadata else f"no {key}"


def _is_called(machine: Machine, id_: str) -> bool:
    """As fleet compares ids (machine/state.go): the whole one, or the first eight digits that `fleetctl` shows."""
    return id_ in (machine.id, machine.id[:_SHORT_ID])


def apart(one: Need, other: Need) -> bool:
    """Whether two units cannot be on one machine."""
    if one.ports & other.ports:
        return True
    return any(glob_matches(glob, b.name) for a, b in ((one, other), (other, one)) for glob in a.conflicts)
