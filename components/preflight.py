"""What the program checks on the cluster before it declares anything: strays, a place for every instance, and, in a
preview, whether the release's tag is another one's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pulumi

from components.connection import Presence, connect, expected_machines, presence
from components.failing import give_up
from components.strays import look_for_strays
from fleetcaptain.discovery.keys import release_key
from fleetcaptain.discovery.values import Manifest, Release
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError, UnitRefused
from fleetcaptain.release.known import manifest_of
from fleetcaptain.release.part import Part
from fleetcaptain.release.record import refuse_other_content
from fleetcaptain.rollout.observed import Snapshot, instances_of
from fleetcaptain.rollout.prepare import no_place
from fleetcaptain.rollout.values import Target
from fleetcaptain.units.names import generation_names, instance_names, machine_names

__all__ = ["look_before", "refuse_in_preview"]


def look_before(
    connection: Mapping[str, Any],
    app: str,
    stack: str,
    parts: Sequence[Part],
    *,
    declared: Collection[str],
    policy: str,
) -> list[str]:
    """The strays, see `look_for_strays`; ends the program when an instance of *parts* would find no machine.

    *declared* are the services whose units are no strays.
    """
    found = look_for_strays(connection, app, stack, declared, policy)
    if presence(connection) is Presence.THERE:
        try:
            snapshot = connect(connection, app).look()
        except ClusterUnreachable as error:
            give_up(error)
        problems = _problems(app, parts, snapshot, expected_machines(connection))
        if problems:
            give_up(UnitRefused("fleet would not place every instance; nothing was touched:", problems))
    return found


def refuse_in_preview(
    connection: pulumi.Output[Mapping[str, Any]],
    app: str,
    tag: pulumi.Output[str],
    entries: pulumi.Output[dict[str, Release]],
) -> None:
    """End a preview when the release *tag* exists with other contents than *entries*. It cannot be known before an
    image is built; then the release's record refuses it, before any unit is touched."""

    def check(known: Sequence[Any]) -> None:
        where, release, services = known
        if presence(where) is not Presence.THERE:
            return
        try:
            node = connect(where, app).store.read(release_key(app, release))
            refuse_other_content(manifest_of(node), Manifest(release, services))
        except FleetCaptainError as error:
            give_up(error)

    if pulumi.runtime.is_dry_run():
        pulumi.Output.all(connection, tag, entries).apply(check)


def _problems(app: str, parts: Sequence[Part], snapshot: Snapshot, machines: int) -> list[str]:
    if len(snapshot.machines) < machines:
        return []  # the cluster is about to grow, or lacks a machine: the rollout itself looks again
    found = []
    for part in parts:
        names = instance_names(part.service, part.instances)
        ignored: tuple[str, ...] = ()
        if part.mode == "bluegreen":
            names = generation_names(part.service, "0" * 40, part.instances)
            ignored = instances_of(app, part.service, snapshot)  # when nothing changes there is no other one
        elif part.mode == "global":
            names = machine_names(part.service, ())
        why = no_place(Target(part.service, names, part.unit, ""), snapshot, ignored)
        if why:
            found.append(f"service {part.service!r}: {why}")
    return found
