"""``captain maintenance``: takes the units off a machine and keeps it empty, or takes that back."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.printer import echo, echo_json, progress
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, site

if TYPE_CHECKING:
    from fleetcaptain.fleet.entities import Machine

__all__ = ["add"]


class Switch(StrEnum):
    """Whether maintenance begins or ends."""

    ON = "on"
    OFF = "off"


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("maintenance")
    def maintain_machine(
        switch: Annotated[Switch, typer.Argument(metavar="on|off", help="Begin or end the maintenance.")],
        machine: Annotated[str, typer.Argument(help="The machine: its name, address, or start of its id.")],
        *,
        with_outage: Annotated[
            bool, typer.Option("--with-outage", help="Move the only instance of a service too; it is down meanwhile.")
        ] = False,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Empty a machine for maintenance, or use it again.

        `on` moves the app's instances to other machines, one at a time as in a rollout, and fleet places no instance
        on the machine any more. What cannot move is listed with its reason. `off` lets fleet use the machine again;
        `captain rebalance` then moves instances there.

        Exits with 2 for an unknown machine, with 4 when a moved instance does not become healthy, and with 6 while a
        rollout of one of the services runs. Run `on` again to continue.

        Example: captain maintenance on 10.67.85.12
        """
        from fleetcaptain.rollout.connect import open_cluster
        from fleetcaptain.rollout.cordon import cordon_service, in_maintenance
        from fleetcaptain.rollout.journal import guarded
        from fleetcaptain.rollout.service_policy import current_services, one_at_a_time
        from fleetcaptain.rollout.strategies.evacuate import evacuate, reopen
        from fleetcaptain.rollout.strategies.restart import stack_of

        where = site(app, stack, ssh, key, changes=True)
        cluster = open_cluster(where.endpoint, where.app)
        snapshot = cluster.snapshot()
        cluster = cluster.owned_by(where.stack or stack_of(where.app, snapshot))
        machines = list(snapshot.machines.values())
        if switch is Switch.OFF:
            # A machine that is lost for good stays in maintenance until this.
            gone = [one for one in in_maintenance(cluster.ownership, snapshot) if one.id not in snapshot.machines]
            found = _machine(machine, [*machines, *gone])
            shown = found.ip or found.id
            with guarded(cluster, cordon_service(found.id), "", progress, strategy="maintenance") as (fenced, _):
                was_closed = reopen(fenced, found, progress)
            if json_wanted:
                echo_json({"machine": shown, "maintenance": False})
            else:
                used = f"fleet uses {shown} again. `captain rebalance` moves instances there."
                echo(used if was_closed else f"{shown} is not in maintenance.")
            return
        found = _machine(machine, machines)
        current = current_services(cluster)
        moved, stays = evacuate(
            cluster,
            found,
            lambda target: one_at_a_time(current.get(target.service), len(target.names)).for_file(target.file),
            progress,
            with_outage=with_outage,
        )
        if json_wanted:
            echo_json({"machine": found.ip, "maintenance": True, "moved": moved, "stays": stays})
            return
        echo(f"{found.ip} is in maintenance: {', '.join(moved) if moved else 'nothing'} moved.")
        for name, why in stays.items():
            echo(f"still there: {name}: {why}")
        echo(f"To use it again: captain maintenance off {found.ip}")


def _machine(named: str, machines: Sequence[Machine]) -> Machine:
    """The one of *machines* that is *named*, see `machine_named`. Raises a usage error."""
    from fleetcaptain.errors import NotAvailable
    from fleetcaptain.fleet.machine_lookup import machine_named

    try:
        return machine_named(named, machines)
    except NotAvailable as error:
        raise typer.BadParameter(str(error), param_hint="MACHINE") from error
