"""``captain discover``: lists the instances of a service."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json, Service
from fleetcaptain.cli.printer import echo
from fleetcaptain.cli.show import show
from fleetcaptain.cli.target_cluster import Etcd, Key, Ssh, Stack, TargetApp, discovery_for
from fleetcaptain.printable import one_line

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def discover(
        service: Service,
        watch: Annotated[bool, typer.Option("--watch", help="Watch for changes and print the list again.")] = False,
        json_wanted: Json = False,
        *,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        etcd: Etcd = None,
        app: TargetApp = None,
    ) -> None:
        """List the instances of a service.

        Only instances that the caller may use are listed, those of its own release first. Instances whose alive checks
        fail are named on standard error. In a container the caller is its unit, and the environment names the cluster.
        Elsewhere the selected stack does, and an operator sees the instances of the current release.

        Exits with 3 when there is none, and with 10 when the cluster does not answer. Example:
        captain discover redis --stack prod
        """
        discovery = discovery_for(app, etcd, stack, ssh, key)
        if not watch:
            show(discovery.discover(service), json_wanted)
            failing = discovery.failing(service)
            for entry in failing.instances if failing else ():
                echo(one_line(f"left out: {entry.unit}: its alive check fails: {entry.failing}"), error=True)
            if failing and failing.explanation:
                echo(f"{service}: {failing.explanation}.", error=True)
            return
        for instances in discovery.watch(service):
            if not instances and not json_wanted:
                echo(f"no instance of {service}")
            show(instances, json_wanted)
