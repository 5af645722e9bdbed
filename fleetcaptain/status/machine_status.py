"""The status of the machines and of etcd's members. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.status.picture import Picture

__all__ = ["EtcdStatus", "MachineStatus", "MemberStatus", "etcd_status", "machine_statuses"]


@dataclass(frozen=True)
class MachineStatus:
    """A machine by its *id* ("" if only its address is known), *address* and *zone*; how many *units* of all apps fleet
    has there; *state*: ``up``, ``silent`` (fleet lists it, and its agent's heartbeat is missing), ``missing`` (fleet
    does not list it) or ``unknown`` (fleet did not answer). *maintenance*: fleet places no instance there."""

    id: str
    address: str
    zone: str
    units: int
    state: str
    maintenance: bool = False


@dataclass(frozen=True)
class MemberStatus:
    """A member of etcd; *lost*: its machine is silent or missing."""

    name: str
    address: str
    lost: bool


@dataclass(frozen=True)
class EtcdStatus:
    """etcd's *members*, None when they are not known, whether it has a *quorum*, None when nothing answered, and its
    *version*."""

    members: tuple[MemberStatus, ...] | None
    quorum: bool | None
    version: str = ""


def machine_statuses(picture: Picture, snapshot: Snapshot) -> tuple[MachineStatus, ...]:
    """Every machine that fleet lists, and those that it does not list although heartbeats, registrations, etcd's
    members or the connection name them; by address."""
    beats = picture.keys.heartbeats if picture.keys else frozenset()
    # Without any heartbeat the app has no agent, or etcd did not answer: neither says that a machine is silent.
    judged = bool(beats) and (picture.members is None or picture.members.quorum)
    load = _load(snapshot)
    found = [
        MachineStatus(
            machine.id,
            machine.ip,
            machine.metadata.get("zone", ""),
            load.get(machine.id, 0),
            "silent" if judged and machine.id not in beats else "up",
        )
        for machine in snapshot.machines.values()
    ]
    known = {machine.address for machine in found}
    hosts = {entry.machine: entry.host for entry in snapshot.registrations.values() if entry.machine}
    state = "missing" if picture.fleet else "unknown"
    others = [
        MachineStatus(id_, hosts.get(id_, ""), "", 0, state)
        for id_ in sorted((beats | hosts.keys()) - snapshot.machines.keys())
    ]
    known |= {machine.address for machine in others}
    listed = (picture.members.listed if picture.members else None) or ()
    # The connection may use other addresses than fleet; then it says nothing about its machines.
    same = bool(set(picture.hosts) & known)
    further = {*(member.address for member in listed), *(picture.hosts if same else ())}
    by_address = [MachineStatus("", address, "", 0, state) for address in sorted(further - known - {""})]
    # A machine of which only the id is known is one of those of which only the address is known.
    found += [machine for machine in others if machine.address or not by_address] + by_address
    return tuple(sorted(found, key=lambda machine: (_numbers(machine.address), machine.id)))


def etcd_status(picture: Picture) -> EtcdStatus:
    """etcd's members; one whose machine does not answer is lost, as far as that is known."""
    members = picture.members
    if members is None:
        return EtcdStatus(None, None)
    if members.listed is None:
        return EtcdStatus(None, members.quorum, members.version)
    states = {machine.address: machine.state for machine in machine_statuses(picture, picture.snapshot)}
    found = tuple(
        MemberStatus(member.name, member.address, states.get(member.address) in ("silent", "missing"))
        for member in sorted(members.listed, key=lambda member: (member.name, member.id))
    )
    return EtcdStatus(found, members.quorum, members.version)


def _load(snapshot: Snapshot) -> Counter[str]:
    """Machine's id -> how many units are there: those that fleet has placed, and its global units' states."""
    placed = Counter(unit.machine_id for unit in snapshot.units.values() if unit.machine_id)
    everywhere = (state for state in snapshot.states if state.name in snapshot.units)
    unplaced = (state.machine_id for state in everywhere if snapshot.units[state.name].machine_id is None)
    return Counter({id_: count for id_, count in (placed + Counter(unplaced)).items() if id_})


def _numbers(address: str) -> tuple[tuple[int, str], ...]:
    """10.0.0.9 before 10.0.0.10."""
    return tuple((int(part) if part.isdecimal() else 0, part) for part in address.split("."))
