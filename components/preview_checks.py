"""What the program checks on the cluster before it declares anything: whose the units there are, strays, a place for
every instance, and, in a preview, whether the release's tag is another one's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components.cluster.handle import Presence
from components.cluster.handles import handle_of
from components.engine import diagnostics as log
from components.engine.abort import abort
from components.stray_units import report_strays
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import release_key
from fleetcaptain.errors import FleetCaptainError, UnitRefused
from fleetcaptain.mode import Mode
from fleetcaptain.release.record import refuse_other_content
from fleetcaptain.release.repository import manifest_of
from fleetcaptain.release.service_release import Part
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.ownership import adoptable, conflicting, foreign, refusals
from fleetcaptain.rollout.preflight import no_place
from fleetcaptain.rollout.strays import StrayPolicy, find_strays
from fleetcaptain.rollout.targets import DesiredService
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.names import generation_names

__all__ = ["Preflight", "check_cluster", "refuse_in_preview"]


@dataclass(frozen=True)
class Preflight:
    """What a deployment does about units that are there: service -> the stacks and the unmarked units that it takes
    over (*adopt*); and the names of the *strays* that it removes, some of which are of the stacks *stray_stacks*."""

    adopt: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    stray_stacks: tuple[str, ...] = ()


def check_cluster(
    connection: Mapping[str, Any],
    ownership: Ownership,
    parts: Sequence[Part],
    *,
    declared: Collection[str],
    policy: StrayPolicy,
) -> Preflight:
    """Check the cluster for *parts*. *declared* are the services whose units are no strays.

    Ends the program when units of others stand in the way, by the *policy* for strays, when an instance of *parts*
    would find no machine, and when the cluster does not answer. A cluster that is not there yet, or is stopped, has
    no units.
    """
    handle = handle_of(connection)
    if handle.presence() is not Presence.THERE:
        return Preflight()
    try:
        snapshot = handle.connect(ownership.app).snapshot()
        for entry in snapshot.ignored:
            log.warn(f"Ignored what is in etcd at {entry}. `captain doctor` lists all such values.")
        _refuse_others(ownership, parts, snapshot)
        adopt = _adopted(ownership, snapshot)
        found = find_strays(snapshot.units, ownership, declared, own_cluster=handle.is_own)
        strays = report_strays(found, policy, snapshot.units)
        problems = _problems(ownership, parts, snapshot, strays)
        if len(snapshot.machines) < handle.connection.size:
            problems = []  # the cluster is about to grow, or lacks a machine: the rollout itself looks again
        if problems and found.own and not strays and not _problems(ownership, parts, snapshot, found.own):
            going = ", ".join(found.own)
            problems.append(f"without {going} all would fit: `pulumi config set fleetcaptain:strays remove`")
        if problems:
            raise UnitRefused("fleet would not place every instance; nothing was touched:", problems)
    except FleetCaptainError as error:
        abort(error)
    marks = (snapshot.units[name].mark for name in strays)
    stacks = {mark.stack for mark in marks if mark is not None} - {ownership.stack}
    return Preflight(adopt, strays, tuple(sorted(stacks)))


def refuse_in_preview(
    connection: pulumi.Output[Mapping[str, Any]],
    app: str,
    tag: pulumi.Output[str],
    entries: pulumi.Output[dict[str, ServiceRelease]],
) -> None:
    """End a preview when the release *tag* exists with other contents than *entries*. It cannot be known before an
    image is built; then the release's record refuses it, before any unit is touched."""

    def check(known: Sequence[Any]) -> None:
        where, release, services = known
        handle = handle_of(where)
        if handle.presence() is not Presence.THERE:
            return
        try:
            node = handle.connect(app).store.read(release_key(app, release))
            refuse_other_content(manifest_of(node), Release(release, services))
        except FleetCaptainError as error:
            abort(error)

    if pulumi.runtime.is_dry_run():
        pulumi.Output.all(connection, tag, entries).apply(check)


def _refuse_others(ownership: Ownership, parts: Sequence[Part], snapshot: Snapshot) -> None:
    names = {name for part in parts for name in _names(part, snapshot)}
    others = [*foreign(ownership, names, snapshot.units), *conflicting(ownership, snapshot.units)]
    if others:
        heading = f"Cannot deploy {ownership.app}: units on the cluster are not this stack's. Nothing was changed."
        raise UnitRefused(heading, refusals(ownership, others, snapshot.units))


def _names(part: Part, snapshot: Snapshot) -> tuple[str, ...]:
    """The units of *part*, as far as they are known before its image is: a generation's name comes from its content,
    and no other unit has it by chance."""
    if part.mode is Mode.BLUE_GREEN:
        return ()
    return DesiredService(part.service, part.unit, part.mode, part.instances).target(snapshot).names


def _adopted(ownership: Ownership, snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Service -> what `Ownership` has to adopt for it. Says which units that are."""
    found, sources = {}, set()
    for service, names in adoptable(ownership, snapshot.units).items():
        marks = {name: snapshot.units[name].mark for name in names}
        found[service] = tuple(sorted({mark.stack if mark else name for name, mark in marks.items()}))
        sources |= set(found[service])
        log.warn(f"{', '.join(names)}: taken over from {', '.join(found[service])} (fleetcaptain:adopt)")
    unused = sorted(ownership.adopt - sources)
    if unused:
        log.info(
            f"fleetcaptain:adopt: there is nothing to take over from {', '.join(unused)} any more; "
            "`pulumi config rm fleetcaptain:adopt` ends that"
        )
    return found


def _problems(ownership: Ownership, parts: Sequence[Part], snapshot: Snapshot, removed: Collection[str]) -> list[str]:
    """Why services find no place on the cluster as this deployment leaves it: without the strays that it removes
    (*removed*) and the units that it has no use for, and with the units that it makes of the others."""
    names = {part.service: _names(part, snapshot) for part in parts}
    gone, planned = set(removed), {}
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
        ignored, wanted = gone, names[part.service]
        if part.mode is Mode.BLUE_GREEN:
            wanted = generation_names(part.service, "0" * 40, part.instances)
            # When nothing changes there is no other generation.
            ignored = gone | set(instances_of(ownership, part.service, snapshot))
        why = no_place(Target(part.service, wanted, part.unit), snapshot, ignored, planned)
        if why:
            found.append(f"service {part.service!r}: {why}")
    return found
