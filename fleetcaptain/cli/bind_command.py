"""``captain bind``: the machine on which a service with data stays."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Service
from fleetcaptain.cli.data_target import ended_in_order
from fleetcaptain.cli.printer import echo, progress
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, owned_cluster, site

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("bind")
    def bind(
        service: Service,
        machine: Annotated[str, typer.Argument(help="Its name, its address, or the beginning of its id.")],
        *,
        without_data: Annotated[
            bool, typer.Option("--without-data", help="Leave the data behind; the service starts without it.")
        ] = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Move a service with data to another machine.

        A service with one instance and a named volume stays on the machine with that volume. This moves it to another
        one, where it starts with an empty volume: `captain backup` before and `captain restore` afterwards take the
        data along. So it requires --without-data. The old volume stays where it is. A machine that has a volume of that
        name already is refused: the error has the commands that save and remove it.

        Exits with 2 without --without-data, or if the machine cannot take the service, with 3 for an unknown service or
        machine, and with 6 while a rollout of the service runs.

        Example: captain bind db m2 --without-data
        """
        from fleetcaptain.data.rebinding import rebind
        from fleetcaptain.fleet.machine_lookup import machine_named

        cluster, snapshot = owned_cluster(site(app, stack, ssh, key, changes=True))
        target = machine_named(machine, snapshot.machines.values())
        with ended_in_order():
            echo(rebind(cluster, service, target, progress, without_data=without_data))
