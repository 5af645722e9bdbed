"""Which machine a service stays on with the data of its volumes, and the units that keep it there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.fleet.entities import DesiredState, Machine, UnitEntity
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.placement import admitted
from fleetcaptain.rollout.remove import has_units, remove
from fleetcaptain.schedule.window_machines import is_of_windows
from fleetcaptain.units.data_anchor import DataAnchor, anchor_name, anchor_of, is_anchor
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import Need

__all__ = [
    "anchors_on",
    "ensure_anchor",
    "forget_anchor",
    "keeping_anchor",
    "left_data",
    "lost_data",
    "place_anchor",
    "planned_anchor",
    "replaced_volumes",
    "taken_data",
    "where_of",
    "with_anchors",
]

_PLACED_SEC = 60.0


def anchors_on(ownership: Ownership, snapshot: Snapshot) -> dict[str, DataAnchor]:
    """Service -> its anchor, of those on the cluster that *ownership* covers."""
    units = (unit for name, unit in snapshot.units.items() if ownership.owns(name, unit.mark))
    found = (DataAnchor.read(unit.file) for unit in units)
    return {anchor.service: anchor for anchor in found if anchor is not None}


def keeping_anchor(ownership: Ownership, service: str, snapshot: Snapshot) -> DataAnchor | None:
    """The anchor that keeps *service* where it is, or will if none of its units is there. The anchor that a service no
    longer requires stays, and says only where its data was."""
    names = instances_of(ownership, service, snapshot)
    if not names or any(anchor_of(snapshot.units[name].file, [name]) for name in names):
        return anchors_on(ownership, snapshot).get(service)
    return None


def left_data(ownership: Ownership, target: Target, snapshot: Snapshot) -> str:
    """The data that *target* leaves, because it no longer stays with it; "" if none."""
    anchor = keeping_anchor(ownership, target.service, snapshot)
    volumes = [] if anchor is None else [one for one in target.file.kept_volumes if one in anchor.volumes]
    if anchor is None or not volumes or anchor_of(target.file, target.names):
        return ""
    return (
        f"the data of {target.service} (volumes {', '.join(volumes)}) is on {anchor.where}. With this change "
        f"{target.service} no longer stays there: on another machine it starts with other volumes of these names. To "
        "keep it with its data, give it one instance, and remove `machine_id=`, `machine_of=` and what `x_fleet=` says "
        f"of machines. To move the data, run `captain backup {target.service}` before, and `captain restore` afterwards"
    )


def taken_data(
    ownership: Ownership,
    target: Target,
    former: Sequence[str],
    leaving: Mapping[str, Sequence[str]],
    snapshot: Snapshot,
) -> str:
    """Why *target*, a new service, cannot have its volumes: one of the services that are *leaving* (with their units)
    has them until it goes last. "" if none has. *former*: the names that the service had."""
    if any(instances_of(ownership, name, snapshot) for name in (target.service, *former)):
        return ""
    for service, units in sorted(leaving.items()):
        for unit in units:
            shared = [one for one in target.file.kept_volumes if one in snapshot.units[unit].file.kept_volumes]
            if shared:
                return (
                    f"{target.service} has the volume {', '.join(shared)} of {service}, which is removed only at the "
                    f"end. If {target.service} is its new name, write renamed_from={service!r} in it. Else give it "
                    f"another volume, or remove {service} in a deployment of its own before"
                )
    return ""


def replaced_volumes(ownership: Ownership, target: Target, former: Sequence[str], snapshot: Snapshot) -> str:
    """What *target* leaves on its machine because its volumes have other names now; "" if nothing."""
    known = anchors_on(ownership, snapshot)
    anchor = next((known[name] for name in (target.service, *former) if name in known), None)
    left = [] if anchor is None else [one for one in anchor.volumes if one not in target.file.kept_volumes]
    if anchor is None or not left or not target.file.kept_volumes:
        return ""
    begun = [one for one in target.file.kept_volumes if one not in (*anchor.volumes, *anchor.former)]
    begins = f", and begins with {', '.join(begun)} empty" if begun else ""
    return (
        f"{target.service} no longer writes to the volume {', '.join(left)}, whose data stays on {anchor.where}"
        f"{begins}. To keep the data in use, keep the volume's name; to move it, run `captain backup "
        f"{target.service}` before, and `captain restore` afterwards"
    )


def planned_anchor(
    ownership: Ownership, target: Target, former: Sequence[str], snapshot: Snapshot
) -> DataAnchor | None:
    """The anchor that the service of *target* requires; None if it requires none, or no machine admits it. *former*:
    the names that the service had.

    Its machine is chosen once: an anchor that is there stays where it is. Without one, the service stays where it runs;
    a new service comes to the machine where another one has, or had, a volume of that name, or to that with the fewest
    other data, and then, as fleet chooses, the fewest units. A machine of windows keeps no data: it leaves with its
    disk.
    """
    if not anchor_of(target.file, target.names):
        return None
    names, known, kept = (*former, target.service), anchors_on(ownership, snapshot), target.file.kept_volumes
    machine = next((known[name].machine for name in names if name in known), "")
    if not machine:
        present = [unit for name in names for unit in instances_of(ownership, name, snapshot)]
        places = (snapshot.machines.get(snapshot.units[unit].machine_id or "") for unit in present)
        machine = next((place.id for place in places if place and not is_of_windows(place.metadata)), "")
        same = [one.machine for one in known.values() if not {*one.volumes, *one.former}.isdisjoint(kept)]
        machine = machine or _best(target, snapshot, same)
    if not machine:
        return None
    where = next((one.where for one in known.values() if one.machine == machine), machine)
    if machine in snapshot.machines:
        where = where_of(snapshot.machines[machine])
    had = {one for name in names if name in known for one in (*known[name].volumes, *known[name].former)}
    return DataAnchor(target.service, machine, where, kept, tuple(sorted(had.difference(kept))))


def where_of(machine: Machine) -> str:
    """How people call *machine*."""
    name = machine.metadata.get("name", "")
    return f"{name} ({machine.ip})" if name and machine.ip else name or machine.ip or machine.id


def with_anchors(ownership: Ownership, targets: Sequence[tuple[Target, Sequence[str]]], snapshot: Snapshot) -> Snapshot:
    """*snapshot* with the anchors that *targets* (each with the service's former names) will have."""
    for target, former in targets:
        anchor = planned_anchor(ownership, target, former, snapshot)
        if anchor is not None:
            name = anchor_name(ownership.app, target.service)
            file = anchor.file(ownership.app, ownership.stack)
            unit = UnitEntity(name, file, DesiredState.LAUNCHED, DesiredState.LAUNCHED, anchor.machine)
            snapshot = replace(snapshot, units={**snapshot.units, name: unit})
    return snapshot


def ensure_anchor(
    cluster: Cluster, target: Target, former: Sequence[str], snapshot: Snapshot, report: Callable[[str], None]
) -> None:
    """Make sure that the service of *target* has the anchor that it requires. Raises DeadlineExceeded."""
    anchor = planned_anchor(cluster.ownership, target, former, snapshot)
    if anchor is not None:
        name = anchor_name(cluster.app, target.service)
        unit = snapshot.units.get(name)
        is_new = unit is None or unit.machine_id != anchor.machine
        if is_new or anchors_on(cluster.ownership, snapshot)[target.service] != anchor:
            report(f"{target.service} stays on {anchor.where}, with its volumes {', '.join(anchor.volumes)}")
            place_anchor(cluster, anchor)


def place_anchor(cluster: Cluster, anchor: DataAnchor) -> None:
    """Write the unit of *anchor*, and wait until its machine has it: fleet unloads a service whose anchor is nowhere.
    The unit names the machine from the beginning, so that after an interruption the next call continues. Raises
    DeadlineExceeded."""
    name = anchor_name(cluster.app, anchor.service)
    cluster.put(name, anchor.file(cluster.app, cluster.ownership.stack))

    def pending() -> str:
        unit = cluster.snapshot().units.get(name)
        if unit is not None and unit.machine_id and unit.machine_id != anchor.machine:
            # fleet keeps the machine of a unit that gets another text.
            cluster.set_desired_state(name, DesiredState.INACTIVE)
        elif unit is not None and unit.desired != DesiredState.LAUNCHED:
            cluster.set_desired_state(name, DesiredState.LAUNCHED)
        elif unit is not None and unit.machine_id:
            return ""
        return name

    def timed_out(_line: str) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"fleet did not place {name} on {anchor.where} within {_PLACED_SEC:.0f} s, and {anchor.service} requires "
            "it there. Check the machine with `captain doctor`, then run the same command again."
        )

    cluster.wait(pending, _PLACED_SEC, timed_out)


def forget_anchor(cluster: Cluster, service: str, report: Callable[[str], None]) -> None:
    """Remove the anchor of *service*, unless it has units, which fleet would stop without it."""
    name = anchor_name(cluster.app, service)
    if name in cluster.snapshot().units and not has_units(cluster, service):
        remove(cluster, "", [name], report)


def lost_data(target: Target, snapshot: Snapshot) -> str:
    """Why *target* cannot run: the machine with its data is not in the cluster. "" if it is, or it has no anchor."""
    unit = snapshot.units.get(anchor_of(target.file, target.names))
    anchor = DataAnchor.read(unit.file) if unit is not None else None
    if anchor is None or not snapshot.machines or anchor.machine in snapshot.machines:
        return ""
    return (
        f"the data of {target.service} (volumes {', '.join(anchor.volumes)}) is on {anchor.where}, which is not in the "
        "cluster, and so the service stays down. Bring the machine back. To start it on another machine instead, "
        f"without that data, run `captain bind {target.service} MACHINE --without-data`, and restore a backup there "
        f"with `captain restore {target.service} FILE`"
    )


def _best(target: Target, snapshot: Snapshot, preferred: Collection[str]) -> str:
    """The machine (id) for a service that has no data yet, one of those *preferred* if it admits the service."""
    own = anchor_of(target.file, target.names)
    others: Mapping[str, tuple[Need, str]] = {
        name: (unit.file.needs(name), unit.machine_id)
        for name, unit in snapshot.units.items()
        if unit.machine_id and name != own and name not in target.names
    }

    def load(machine: Machine) -> tuple[bool, int, int, str]:
        there = [snapshot.units[name] for name, (_, where) in others.items() if where == machine.id]
        anchors = sum(is_anchor(unit.mark) for unit in there)
        return machine.id not in preferred, anchors, len(there), machine.id

    fitting = [
        machine
        for machine in snapshot.machines.values()
        if not is_of_windows(machine.metadata) and all(admitted(need, machine, others) for need in target.needs)
    ]
    return min(fitting, key=load).id if fitting else ""
