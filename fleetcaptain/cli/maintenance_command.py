"""``captain maintenance``: keeps a machine empty, or a service out of discovery, or takes that back."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.completion import services
from fleetcaptain.cli.printer import echo, echo_json, progress
from fleetcaptain.cli.target_cluster import Key, Ssh, Stack, TargetApp, owned_cluster, site

if TYPE_CHECKING:
    from fleetcaptain.fleet.entities import Machine
    from fleetcaptain.rollout.cluster import Cluster

__all__ = ["add"]


class Switch(StrEnum):
    """Whether maintenance begins or ends."""

    ON = "on"
    OFF = "off"


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command("maintenance")
    def maintain(
        switch: Annotated[Switch, typer.Argument(metavar="on|off", help="Begin or end the maintenance.")],
        name: Annotated[
            str,
            typer.Argument(
                metavar="SERVICE|MACHINE",
                help="The service, or the machine: its name, address, or the start of its id.",
                autocompletion=services,
            ),
        ],
        *,
        service: Annotated[
            bool, typer.Option("--service", help="It is a service, although a machine is called so too.")
        ] = False,
        with_outage: Annotated[
            bool, typer.Option("--with-outage", help="Move the only instance of a service too; it is down meanwhile.")
        ] = False,
        json_wanted: Json = False,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        app: TargetApp = None,
    ) -> None:
        """Empty a machine, or take a service out of discovery.

        A service: `on` takes it out of discovery while its instances run; new and restarted ones are out too. `off`
        brings it back.

        A machine: `on` moves the app's instances to other machines, one at a time as in a rollout, and fleet places no
        instance on the machine any more. What cannot move is listed with its reason. `off` lets fleet use the machine
        again; `captain rebalance` then moves instances there.

        Exits with 2 for an unknown name, with 4 when a moved instance does not become healthy, with 6 while a rollout
        of one of the services to move runs, and with 9 when machine agents do not follow. Run `on` again to continue.

        Examples: captain maintenance on 10.67.85.12; captain maintenance off app_server
        """
        from fleetcaptain.cli.maintained_machine import maintained_machine

        cluster, snapshot = owned_cluster(site(app, stack, ssh, key, changes=True))
        found = maintained_machine(name, cluster, snapshot, include_gone=switch is Switch.OFF, is_service=service)
        if found is None:
            if with_outage:
                raise typer.BadParameter("only machines have it", param_hint="--with-outage")
            _maintain_service(switch, name, cluster, json_wanted)
        else:
            _maintain_machine(switch, found, cluster, with_outage=with_outage, json_wanted=json_wanted)


def _maintain_service(switch: Switch, service: str, cluster: Cluster, json_wanted: bool) -> None:
    from fleetcaptain.rollout.service_maintenance import begin_maintenance, end_maintenance, maintained_services

    before = service in maintained_services(cluster)
    change = begin_maintenance if switch is Switch.ON else end_maintenance
    units = change(cluster, service, progress)
    if json_wanted:
        echo_json({"service": service, "maintenance": switch is Switch.ON, "instances": units})
    elif switch is Switch.ON:
        echo(f"{service} is out of discovery. Its instances run: {', '.join(units) if units else 'none'}.")
        echo(f"To bring it back: captain maintenance off {service}")
    elif before:
        echo(f"{service} is in discovery again: {', '.join(units) if units else 'no instance'}.")
    else:
        echo(f"{service} is not under maintenance.")


def _maintain_machine(
    switch: Switch, machine: Machine, cluster: Cluster, *, with_outage: bool, json_wanted: bool
) -> None:
    from fleetcaptain.rollout.cordon import cordon_service
    from fleetcaptain.rollout.journal import guarded
    from fleetcaptain.rollout.service_policy import current_services, one_at_a_time
    from fleetcaptain.rollout.strategies.evacuate import evacuate, reopen

    shown = machine.ip or machine.id
    if switch is Switch.OFF:
        with guarded(cluster, cordon_service(machine.id), "", progress, strategy="maintenance") as (fenced, _):
            was_closed = reopen(fenced, machine, progress)
        if json_wanted:
            echo_json({"machine": shown, "maintenance": False})
        else:
            used = f"fleet uses {shown} again. `captain rebalance` moves instances there."
            echo(used if was_closed else f"{shown} is not in maintenance.")
        return
    current = current_services(cluster)
    moved, stays = evacuate(
        cluster,
        machine,
        lambda target: one_at_a_time(current.get(target.service), len(target.names)).for_file(target.file),
        progress,
        with_outage=with_outage,
    )
    if json_wanted:
        echo_json({"machine": machine.ip, "maintenance": True, "moved": moved, "stays": stays})
        return
    echo(f"{machine.ip} is in maintenance: {', '.join(moved) if moved else 'nothing'} moved.")
    for name, why in stays.items():
        echo(f"still there: {name}: {why}")
    echo(f"To use it again: captain maintenance off {machine.ip}")
