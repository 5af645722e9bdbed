"""Where the data of services is: their named volumes, and the machine of each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fleetcaptain.data.volume_scripts import VolumeUse
from fleetcaptain.errors import NotAvailable
from fleetcaptain.fleet.entities import DesiredState, Machine
from fleetcaptain.fleet.machine_lookup import machine_named
from fleetcaptain.rollout.data_anchors import anchors_on, keeping_anchor
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.units.mark import Ownership, is_auxiliary

__all__ = ["ServiceData", "VolumeRow", "data_of", "former_volumes_of", "volume_rows", "volumes_of"]


@dataclass(frozen=True)
class ServiceData:
    """The *volume* of a service on a *machine*, and the *units* of the service that are there. *is_launched*: one of
    them is to run, and so starts at any time if it does not run now."""

    volume: str
    machine: Machine
    units: tuple[str, ...]
    is_launched: bool = False


@dataclass(frozen=True)
class VolumeRow:
    """One volume on one machine (*where*): its *use*, None if the machine did not answer or is away. *keeps*: the
    service stays there. *gone*: no service of the app has it now."""

    service: str
    volume: str
    where: str
    use: VolumeUse | None
    keeps: bool
    gone: bool


def volumes_of(ownership: Ownership, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Service -> its named volumes; also of services that left, and whose data stays."""
    found: dict[str, set[str]] = {}
    for name, unit in snapshot.units.items():
        if unit.mark and ownership.owns(name, unit.mark) and not is_auxiliary(unit.mark) and unit.file.kept_volumes:
            found.setdefault(unit.mark.service, set()).update(unit.file.kept_volumes)
    for service, anchor in anchors_on(ownership, snapshot).items():
        found.setdefault(service, set(anchor.volumes))
    return {service: tuple(sorted(volumes)) for service, volumes in sorted(found.items())}


def former_volumes_of(ownership: Ownership, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Service -> the volumes that it had before; whether they are still there, only a machine knows."""
    present = {volume for volumes in volumes_of(ownership, snapshot).values() for volume in volumes}
    return {
        service: tuple(sorted({*anchor.volumes, *anchor.former}.difference(present)))
        for service, anchor in anchors_on(ownership, snapshot).items()
    }


def data_of(ownership: Ownership, service: str, volume: str, machine: str, snapshot: Snapshot) -> ServiceData:
    """The data of *service*: *volume*, or its only one for ""; on *machine* (a name, an address or the beginning of an
    id), or for "" where the service stays or has its only instance. Raises NotAvailable."""
    known = volumes_of(ownership, snapshot)
    if service not in known:
        listed = ", ".join(known) or "none"
        raise NotAvailable(f"{service!r} has no named volume. Name a service that has one: {listed}.")
    names = (*known[service], *former_volumes_of(ownership, snapshot).get(service, ()))
    if volume not in names and (volume or len(known[service]) > 1):
        what = f"{service} has no volume {volume!r}" if volume else f"{service} has several volumes"
        raise NotAvailable(f"{what}. Choose one with --volume: {', '.join(names)}.")
    found = _machine(ownership, service, machine, snapshot)
    units = tuple(
        name for name in instances_of(ownership, service, snapshot) if snapshot.units[name].machine_id == found.id
    )
    is_launched = any(snapshot.units[name].desired == DesiredState.LAUNCHED for name in units)
    return ServiceData(volume or known[service][0], found, units, is_launched)


def _machine(ownership: Ownership, service: str, machine: str, snapshot: Snapshot) -> Machine:
    if machine:
        return machine_named(machine, snapshot.machines.values())
    anchor = keeping_anchor(ownership, service, snapshot)
    if anchor is not None:
        if anchor.machine in snapshot.machines:
            return snapshot.machines[anchor.machine]
        raise NotAvailable(
            f"The data of {service} is on {anchor.where}, which is not in the cluster. Bring the machine back, or "
            f"start the service elsewhere without that data: `captain bind {service} MACHINE --without-data`."
        )
    units = (snapshot.units[name] for name in instances_of(ownership, service, snapshot))
    ids = {unit.machine_id for unit in units if unit.machine_id in snapshot.machines}
    if len(ids) != 1:
        where = ", ".join(sorted(snapshot.machines[id_].ip for id_ in ids if id_)) or "no machine"
        raise NotAvailable(f"{service} runs on {where}. Choose a machine with --machine.")
    return snapshot.machines[str(ids.pop())]


def volume_rows(
    ownership: Ownership, snapshot: Snapshot, uses: Mapping[str, Mapping[str, VolumeUse] | None]
) -> Iterator[VolumeRow]:
    """Each volume of each service on each machine that has it. *uses*: machine (id) -> volume -> use; None for a
    machine that did not answer."""
    before = former_volumes_of(ownership, snapshot)
    for service, volumes in volumes_of(ownership, snapshot).items():
        present, anchor = instances_of(ownership, service, snapshot), keeping_anchor(ownership, service, snapshot)
        home = anchor.machine if anchor is not None else ""
        expected = {home, *(snapshot.units[name].machine_id for name in present)}
        former = before.get(service, ())
        for volume in (*volumes, *former):
            gone = not present or volume in former
            for id_, machine in sorted(snapshot.machines.items(), key=lambda one: one[1].ip):
                use = (uses.get(id_) or {}).get(volume)
                if use is not None or (id_ in expected and volume in volumes):
                    name = machine.metadata.get("name") or machine.ip
                    yield VolumeRow(service, volume, name, use, id_ == home, gone)
            if anchor is not None and home not in snapshot.machines:
                yield VolumeRow(service, volume, anchor.where, None, keeps=True, gone=gone)
