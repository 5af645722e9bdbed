"""What ``captain maintenance`` is to maintain: a machine, or a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from fleetcaptain.fleet.entities import Machine
    from fleetcaptain.rollout.cluster import Cluster
    from fleetcaptain.rollout.observe import Snapshot

__all__ = ["maintained_machine"]


def maintained_machine(
    name: str, cluster: Cluster, snapshot: Snapshot, *, include_gone: bool, is_service: bool
) -> Machine | None:
    """The machine that is called *name*, see `machine_named`; None for a service. *include_gone*: also a machine in
    maintenance that fleet does not list any more. *is_service*: only a service will do.

    Raises a usage error for a name of neither, and of both.
    """
    from fleetcaptain.errors import NotAvailable
    from fleetcaptain.fleet.machine_lookup import machine_named
    from fleetcaptain.rollout.cordon import in_maintenance
    from fleetcaptain.rollout.service_maintenance import maintained_services
    from fleetcaptain.rollout.strategies.restart import services_on

    known = {*services_on(cluster.ownership, snapshot), *maintained_services(cluster)}
    machines = list(snapshot.machines.values())
    if include_gone:
        # A machine that is lost for good stays in maintenance until this.
        machines += [one for one in in_maintenance(cluster.ownership, snapshot) if one.id not in snapshot.machines]
    if name in known and is_service:
        return None
    try:
        found = None if is_service else machine_named(name, machines)
    except NotAvailable:
        found = None
    if name in known:
        if found is None:
            return None
        why = "is a service, and a machine is called so too. For the service add --service; name a machine by its"
        raise typer.BadParameter(f"{name!r} {why} address", param_hint="SERVICE|MACHINE")
    if found is None:
        addresses = ", ".join(sorted(one.ip or one.id for one in machines))
        what = "no service" if is_service else "neither a service nor one machine"
        raise typer.BadParameter(
            f"{name!r} is {what} of the cluster. Services: {', '.join(sorted(known)) or 'none'}. Machines: {addresses}",
            param_hint="SERVICE|MACHINE",
        )
    return found
