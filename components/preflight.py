"""What the program checks on the cluster before it declares anything: strays, and a place for every instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.connection import Presence, connect, presence
from components.failing import give_up
from components.strays import look_for_strays
from fleetcaptain.errors import ClusterUnreachable, UnitRefused
from fleetcaptain.fleetfile.values import App, BlueGreen
from fleetcaptain.rollout.observed import Snapshot, instances_of
from fleetcaptain.rollout.prepare import no_place
from fleetcaptain.rollout.values import Target
from fleetcaptain.units.names import generation_names, instance_names, machine_names

__all__ = ["look_before"]


def look_before(
    connection: Mapping[str, Any],
    fleetfile: App,
    stack: str,
    texts: Mapping[str, str],
    policy: str,
) -> list[str]:
    """The strays, see `look_for_strays`; ends the program when an instance of *fleetfile* would find no machine.

    *texts* maps each service, the beacon too, to its unit's text.
    """
    app = fleetfile.app
    found = look_for_strays(connection, app, stack, texts, policy)
    if presence(connection) is Presence.THERE:
        try:
            snapshot = connect(connection, app).look()
        except ClusterUnreachable as error:
            give_up(error)
        problems = _problems(fleetfile, texts, snapshot, len(connection["ssh"]))
        if problems:
            give_up(UnitRefused("fleet would not place every instance; nothing was touched:", problems))
    return found


def _problems(fleetfile: App, texts: Mapping[str, str], snapshot: Snapshot, machines: int) -> list[str]:
    if len(snapshot.machines) < machines:
        return []  # the cluster is about to grow, or lacks a machine: the rollout itself looks again
    found = []
    for spec in fleetfile.services:
        text = texts[spec.name]
        names = instance_names(spec.name, spec.instances)
        ignored: tuple[str, ...] = ()
        if isinstance(spec.rollout, BlueGreen):
            names = generation_names(spec.name, "0" * 40, spec.instances)
            ignored = instances_of(fleetfile.app, spec.name, snapshot)  # when nothing changes there is no other one
        elif spec.global_unit:
            names = machine_names(spec.name, ())
        why = no_place(Target(spec.name, names, text, ""), snapshot, ignored)
        if why:
            found.append(f"service {spec.name!r}: {why}")
    return found
