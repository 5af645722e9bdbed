"""Placement check before the first instance stops: whether fleet can place every instance, or why not. Pure.

The rules are fleet's (agent/state.go): MachineID, MachineMetadata, MachineOf and Conflicts; and docker's: a machine
has each fixed port once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleetcaptain.fleet.entities import Machine
from fleetcaptain.units.data_anchor import is_anchor_name
from fleetcaptain.units.unit_file import Need, UnitFile
from fleetcaptain.units.xfleet import glob_matches

__all__ = ["admits", "admitted", "apart", "candidates", "misplaced"]

_SHORT_ID = 8
_TRIES = 20_000
_ELSEWHERE = "its data is on another machine"
_DATA_HINT = (
    ". Let the machine with its data take it: remove the `machine=` or `machine_metadata=` that excludes that machine, "
    "or what is in the way there. Or move it without its data, with `captain bind`"
)


def admits(name: str, file: UnitFile, machine: Machine) -> bool:
    """Whether the ``MachineMetadata`` of the unit *name* admits *machine*.

    Values of one key are alternatives; all keys must match.
    """
    metadata = file.rules(name).alternatives
    return all(machine.metadata.get(key) in values for key, values in metadata.items())


def candidates(needs: Sequence[Need], machines: Sequence[Machine]) -> tuple[Machine, ...]:
    """The machines that admit one of *needs*, regardless of other units there."""
    return tuple(machine for machine in machines if not all(_why_not(need, machine, {}) for need in needs))


def admitted(need: Need, machine: Machine, others: Mapping[str, tuple[Need, str]]) -> bool:
    """Whether *machine* can take *need* next to *others*: name -> their need and their machine's id."""
    return not _why_not(need, machine, others)


def misplaced(needs: Sequence[Need], others: Mapping[str, tuple[Need, str]], machines: Sequence[Machine]) -> str:
    """Why *needs* cannot all be placed; empty if they can. *others* are units that stay in place: name -> their need
    and their machine's id."""
    if not machines:
        return ""
    for need in needs:
        fitting = [machine.id for machine in machines if _has_id(machine, need.machine_id)]
        if need.machine_id and len(fitting) > 1:
            ids = " and ".join(fitting)
            return f"{need.name} requires the machine {need.machine_id}, which matches {ids}. Write the whole id"
        why = {machine.ip: _why_not(need, machine, others) for machine in machines}
        if all(why.values()):
            hint = _DATA_HINT if _ELSEWHERE in why.values() else ""
            listed = "; ".join(f"{ip}: {reason}" for ip, reason in why.items())
            return f"no machine can take {need.name}: {listed}{hint}"
    domains = {need.name: [machine for machine in machines if not _why_not(need, machine, others)] for need in needs}
    ordered = sorted(needs, key=lambda need: len(domains[need.name]))
    deepest = _assign(ordered, domains)
    if deepest is None:
        return ""
    rest = [need.name for need in ordered if need is not deepest and apart(need, deepest)]
    kind = "a free port" if any(need.ports & deepest.ports for need in ordered if need is not deepest) else "room"
    return (
        f"{len(ordered)} instances do not fit on {len(machines)} machines: no machine has {kind} for {deepest.name} "
        f"next to {', '.join(rest[:4])}{' and others' if len(rest) > len(rest[:4]) else ''}"
    )


def _assign(needs: Sequence[Need], domains: Mapping[str, Sequence[Machine]]) -> Need | None:
    """None if every need finds a machine; otherwise the first one without a machine, in the longest partial assignment.
    After too many tries it assumes that all fit: fleet itself will then report a failure."""
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
    if need.machine_id and not _has_id(machine, need.machine_id):
        return f"MachineID requires {need.machine_id}, not {machine.id}"
    for key, values in (need.metadata or {}).items():
        if machine.metadata.get(key) not in values:
            return f"MachineMetadata requires {key}={' or '.join(sorted(values))}, it has {_shown(machine, key)}"
    for name, (other, where) in others.items():
        if name in need.machine_of and where and where != machine.id:
            return _ELSEWHERE if is_anchor_name(name) else f"MachineOf requires the machine of {name}"
        if where == machine.id and apart(need, other):
            shared = sorted(need.ports & other.ports)
            return f"port {shared[0]} is taken by {name}" if shared else f"it conflicts with {name}"
    return ""


def _shown(machine: Machine, key: str) -> str:
    if key in machine.metadata:
        return f"{key}={machine.metadata[key]}"
    others = ", ".join(f"{other}={value}" for other, value in sorted(machine.metadata.items()))
    return f"no {key}, but {others}" if others else f"no {key}"


def _has_id(machine: Machine, id_: str) -> bool:
    """Compare ids as fleet does (machine/state.go): the whole id, or the first eight digits that `fleetctl` shows."""
    return id_ in (machine.id, machine.id[:_SHORT_ID])


def apart(one: Need, other: Need) -> bool:
    """Whether two units cannot be on one machine."""
    if one.ports & other.ports:
        return True
    return any(glob_matches(glob, b.name) for a, b in ((one, other), (other, one)) for glob in a.conflicts)
