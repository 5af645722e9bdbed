"""Moves a service away from its data, with consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fleetcaptain.data.paused_service import paused
from fleetcaptain.errors import NotAvailable, UnitRefused
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.data_anchors import anchors_on, forget_anchor, place_anchor, where_of
from fleetcaptain.rollout.observe import instances_of
from fleetcaptain.rollout.placement import admits

__all__ = ["rebind"]


def rebind(
    cluster: Cluster, service: str, machine: Machine, report: Callable[[str], None], *, without_data: bool
) -> str:
    """Keep *service* on *machine* from now on, and start it there. Returns what happened. Raises UnitRefused if its
    rules exclude the machine, or without consent to leave its data (*without_data*); NotAvailable if it stays
    nowhere."""
    snapshot = cluster.snapshot()
    known = anchors_on(cluster.ownership, snapshot)
    if service not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise NotAvailable(f"{service!r} stays on no machine. Services that stay with their data: {listed}.")
    old = known[service]
    if old.machine == machine.id:
        return f"{service} stays on {where_of(machine)} already."
    heading = f"Cannot move {service} from {old.where} to {where_of(machine)}. Nothing was changed:"
    excluded = [
        name
        for name in instances_of(cluster.ownership, service, snapshot)
        if not admits(name, snapshot.units[name].file, machine)
    ]
    if excluded:
        raise UnitRefused(heading, [f"the placement of {service} excludes that machine; change the Fleetfile first"])
    if not without_data:
        raise UnitRefused(
            heading,
            [
                f"its data (volumes {', '.join(old.volumes)}) is on {old.where} and would stay there",
                f"take a backup if the machine still runs (`captain backup {service}`), add --without-data, and "
                "restore it afterwards",
            ],
        )
    with paused(cluster, service, "bind", report) as fenced:
        # fleet keeps the machine of a unit that gets another text.
        forget_anchor(fenced, service, report)
        place_anchor(fenced, replace(old, machine=machine.id, where=where_of(machine)))
    return (
        f"{service} stays on {where_of(machine)} now, with empty volumes. To bring its data back: captain restore "
        f"{service} FILE. The old volumes stay on {old.where}."
    )
