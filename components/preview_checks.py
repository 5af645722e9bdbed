"""Checks on the cluster before the program declares any resource: ownership of units, strays, a machine for every
instance, and, in a preview, whether another release has the same tag."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine import diagnostics
from components.engine.abort import abort
from components.stray_units import report_strays
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import release_key
from fleetcaptain.errors import FleetCaptainError, UnitRefused
from fleetcaptain.mode import Mode
from fleetcaptain.release.record import refuse_other_content
from fleetcaptain.release.repository import manifest_of, read_manifests, services_in
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout.cordon import in_maintenance
from fleetcaptain.rollout.data_anchors import left_data, lost_data, replaced_volumes, taken_data, with_anchors
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.ownership import adoptable, conflicting, foreign, refusals
from fleetcaptain.rollout.preflight import no_place, shares_volume
from fleetcaptain.rollout.strays import REMOVE_ONCE, StrayPolicy, find_departed, find_strays
from fleetcaptain.rollout.targets import DesiredService
from fleetcaptain.schedule.window_machines import is_of_windows
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.names import generation_names, periodic_units
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["Preflight", "check_cluster", "refuse_in_preview"]


@dataclass(frozen=True)
class Preflight:
    """The existing units that a deployment changes: service -> the stacks and the unmarked units that it adopts
    (*adopt*), and the former services whose instances its own replace (*replaced*); and the names of the *strays* that
    it removes, some of which belong to the stacks *stray_stacks*."""

    adopt: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    stray_stacks: tuple[str, ...] = ()
    replaced: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def check_cluster(
    connection: Mapping[str, Any],
    ownership: Ownership,
    parts: Sequence[Part],
    periodic: Mapping[str, UnitFile],
    *,
    declared: Collection[str],
    policy: StrayPolicy,
    renames: Mapping[str, tuple[str, ...]] | None = None,
) -> Preflight:
    """Check the cluster for *parts* and *periodic*: periodic task -> the unit that its timer starts. *declared* are the
    services whose units are neither strays nor of services that left the app. *renames*: service -> its former names.

    Ends the program if units of others are in the way, if the *policy* for strays requires it, if no machine can take
    an instance of *parts* or a periodic task, or if the cluster does not answer. A cluster that does not exist yet, or
    is stopped, has no units.
    """
    handle = handle_of(connection)
    if handle.presence() is not Presence.THERE:
        return Preflight()
    try:
        cluster = handle.connect(ownership.app)
        snapshot = cluster.snapshot()
        for entry in snapshot.ignored:
            diagnostics.warn(
                f"Ignored the invalid value in etcd at {entry}. To list all such values, run `captain doctor`."
            )
        for machine in in_maintenance(ownership, snapshot):
            where = machine.ip or machine.id
            diagnostics.warn(
                f"{where} is in maintenance: fleet places no instance on it. To use it again, run `captain maintenance "
                f"off {where}`."
            )
        _refuse_others(ownership, parts, periodic, snapshot)
        adopt = _adopted(ownership, snapshot)
        recorded = services_in(read_manifests(cluster.store, cluster.app))
        departed = find_departed(snapshot.units, ownership, declared, recorded)
        leaving = {name for names in departed.values() for name in names}
        found = find_strays(snapshot.units, ownership, declared, own_cluster=handle.is_own)
        found = replace(found, own=tuple(name for name in found.own if name not in leaving))
        strays = report_strays(found, policy, snapshot.units)
        replaced = {
            service: tuple(old for old in former if instances_of(ownership, old, snapshot))
            for service, former in (renames or {}).items()
        }
        # Those of windows are there only now.
        machines = {id_: one for id_, one in snapshot.machines.items() if not is_of_windows(one.metadata)}
        renamed = {old for former in replaced.values() for old in former}
        gone = {service: units for service, units in departed.items() if service not in renamed}
        lasting = _with_data(ownership, parts, replaced, gone, replace(snapshot, machines=machines))
        former = [
            (part, [name for old in replaced.get(part.service, ()) for name in instances_of(ownership, old, snapshot)])
            for part in parts
        ]
        # Those of a service that is replaced blue/green stay until the new generation is healthy.
        beside = [
            (part, names)
            for part, names in former
            if names and part.mode is Mode.BLUE_GREEN and not shares_volume(part.unit, names, snapshot)
        ]
        staying = {name for _, names in beside for name in names}
        going = {name for _, names in former for name in names}.difference(staying)
        leaving = leaving.difference(going, staying)

        def problems_without(removed: Collection[str]) -> list[str]:
            return _problems(ownership, parts, periodic, lasting, {*strays, *going, *removed})

        problems = problems_without(())
        if len(machines) < handle.connection.size:
            problems = []  # the cluster is about to grow, or lacks a machine: the rollout itself checks again
        last = sorted({*found.own, *leaving}.difference(going, staying))
        if problems and not problems_without(last):
            for name in tuple(last):  # the others can go last
                rest = [other for other in last if other != name]
                last = last if problems_without(rest) else rest
            if policy.action == "remove":
                strays, problems = tuple(sorted({*strays, *last})), []
            else:
                problems.append(_without(last))
        elif problems and not problems_without(staying):
            problems += [
                f"service {part.service!r} is replaced blue/green, so it starts beside {', '.join(names)}. Add a "
                "machine, use another port, or replace the old instances one at a time, with `rollout=Rolling()` and "
                "a number as `instances`."
                for part, names in beside
            ]
        if problems:
            raise UnitRefused("Cannot place every instance. Nothing was changed:", problems)
        _warn_of_departed(leaving.difference(strays))
    except FleetCaptainError as error:
        abort(error)
    marks = (snapshot.units[name].mark for name in strays)
    stacks = {mark.stack for mark in marks if mark is not None} - {ownership.stack}
    return Preflight(adopt, strays, tuple(sorted(stacks)), {service: old for service, old in replaced.items() if old})


def _with_data(
    ownership: Ownership,
    parts: Sequence[Part],
    replaced: Mapping[str, Sequence[str]],
    leaving: Mapping[str, Sequence[str]],
    snapshot: Snapshot,
) -> Snapshot:
    """*snapshot* with the units that keep services with their data. Warns of those whose machine is missing,
    and of those that leave their data. Raises UnitRefused for those with the data of one of the services
    *leaving*, which come with their units."""
    targets = [(_target(part, snapshot, lasting=True), replaced.get(part.service, ())) for part in parts]
    taken = [why for target, former in targets if (why := taken_data(ownership, target, former, leaving, snapshot))]
    if taken:
        raise UnitRefused("Cannot deploy a service with the data of another one. Nothing was changed:", taken)
    planned = with_anchors(ownership, targets, snapshot)
    for target, former in targets:
        if why := (
            lost_data(target, planned)
            or left_data(ownership, target, snapshot)
            or replaced_volumes(ownership, target, former, snapshot)
        ):
            diagnostics.warn(f"{why[:1].upper()}{why[1:]}.")
    return planned


def _warn_of_departed(names: Collection[str]) -> None:
    """The state may lack their resources, so that the preview has no deletion of them."""
    if names:
        diagnostics.warn(
            f"{', '.join(sorted(names))}: removed at the end of this deployment, because an earlier release has the "
            "service and this one does not. To keep the units, declare the service again."
        )


def _without(last: Sequence[str]) -> str:
    """What to do when all instances fit, but not beside the units *last*, which a deployment removes after all else."""
    return (
        f"without {', '.join(last)} all fit, but these units are removed last. If a service was renamed, write "
        f"renamed_from= in it. To remove them first, with an outage of their services, {REMOVE_ONCE}"
    )


def refuse_in_preview(
    connection: pulumi.Output[Mapping[str, Any]],
    app: str,
    tag: pulumi.Output[str],
    entries: pulumi.Output[dict[str, ServiceRelease]],
) -> None:
    """End a preview if the release *tag* exists with other contents than *entries*. Unknown before an image is built;
    in that case the release's record refuses it before any unit changes."""

    def check(known: Sequence[Any]) -> None:
        where, release, services = known
        handle = handle_of(where)
        if handle.presence() is not Presence.THERE:
            return
        try:
            node = handle.connect(app).store.read(release_key(app, release))
            refuse_other_content(manifest_of(node), Release(release, services), pulumi.get_stack())
        except FleetCaptainError as error:
            abort(error)

    if pulumi.runtime.is_dry_run():
        pulumi.Output.all(connection, tag, entries).apply(check)


def _refuse_others(ownership: Ownership, parts: Sequence[Part], periodic: Collection[str], snapshot: Snapshot) -> None:
    names = {name for part in parts for name in _names(part, snapshot)}
    names |= {name for task in periodic for name in periodic_units(task)}
    others = [*foreign(ownership, names, snapshot.units), *conflicting(ownership, snapshot.units)]
    if others:
        heading = f"Cannot deploy {ownership.app}: units on the cluster are not this stack's. Nothing was changed."
        raise UnitRefused(heading, refusals(ownership, others, snapshot.units))


def _names(part: Part, snapshot: Snapshot) -> tuple[str, ...]:
    """The units of *part* that are known before its image: the name of a generation has its hash, so no other unit has
    it by chance."""
    if part.mode is Mode.BLUE_GREEN:
        return ()
    return _target(part, snapshot).names


def _target(part: Part, snapshot: Snapshot, *, lasting: bool = False) -> Target:
    """The units of *part*; *lasting*: without those for which its windows bring machines."""
    windows = tuple(window for window in part.windows if not (lasting and window.machines))
    return DesiredService(part.service, part.unit, part.mode, part.instances, windows=windows).target(snapshot)


def _adopted(ownership: Ownership, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Service -> what `Ownership` must adopt for it. Warns with the names of the units."""
    found, sources = {}, set()
    for service, names in adoptable(ownership, snapshot.units).items():
        marks = {name: snapshot.units[name].mark for name in names}
        found[service] = tuple(sorted({mark.stack if mark else name for name, mark in marks.items()}))
        sources |= set(found[service])
        diagnostics.warn(f"{', '.join(names)}: adopted from {', '.join(found[service])} (fleetcaptain:adopt)")
    unused = sorted(ownership.adopt - sources)
    if unused:
        diagnostics.info(
            f"fleetcaptain:adopt: {', '.join(unused)} has no more units to adopt. Remove the setting: "
            "`pulumi config rm fleetcaptain:adopt`"
        )
    return found


def _problems(
    ownership: Ownership,
    parts: Sequence[Part],
    periodic: Mapping[str, UnitFile],
    snapshot: Snapshot,
    removed: Collection[str],
) -> list[str]:
    """Why services and periodic tasks cannot be placed on the cluster after this deployment: without the strays and the
    units of renamed services that it removes (*removed*) and surplus units, and with the new texts of the others."""
    names = {part.service: _names(part, snapshot) for part in parts}
    gone = set(removed)
    planned = {periodic_units(task)[0]: file for task, file in periodic.items()}
    for part in parts:
        for name in instances_of(ownership, part.service, snapshot):
            if part.mode is Mode.BLUE_GREEN or name in names[part.service]:
                planned[name] = part.unit
            else:
                gone.add(name)
    found = []
    for part in parts:
        if part.mode is Mode.FLEET_GLOBAL:
            continue
        ignored, target = gone, _target(part, snapshot, lasting=True)
        if part.mode is Mode.BLUE_GREEN:
            target = Target(part.service, generation_names(part.service, "0" * 40, part.instances), part.unit)
            # Without a change there is no other generation.
            ignored = gone | set(instances_of(ownership, part.service, snapshot))
        if lost_data(target, snapshot):
            continue  # it stays down, and does not stop the others
        why = no_place(target, snapshot, ignored, planned)
        if why:
            found.append(f"service {part.service!r}: {why}")
    for task, file in periodic.items():
        # fleet moves the timer to the machine of its service.
        why = no_place(Target(task, periodic_units(task)[:1], file), snapshot, gone, planned)
        if why:
            found.append(f"task {task!r}: {why}")
    return found
