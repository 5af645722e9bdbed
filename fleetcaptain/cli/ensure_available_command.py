"""``captain ensure-available``: waits for a service; made for ``ExecStartPre``."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json, Service
from fleetcaptain.cli.show import show
from fleetcaptain.cli.target_cluster import Etcd, Key, Ssh, Stack, TargetApp, discovery_for

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def ensure_available(
        service: Service,
        timeout: Annotated[
            float, typer.Option("--timeout", help="How long to wait for the service.", metavar="SECONDS", min=0)
        ] = 0,
        json_wanted: Json = False,
        *,
        stack: Stack = None,
        ssh: Ssh = None,
        key: Key = "",
        etcd: Etcd = None,
        app: TargetApp = None,
    ) -> None:
        """Wait for a service and list its instances.

        Exits with 0 when the service is available to the caller, with 3 when it is not within the timeout, and with 10
        when etcd does not answer. The cluster is named as for discover. Example: captain ensure-available redis
        --timeout 60
        """
        discovery = discovery_for(app, etcd, stack, ssh, key)
        show(discovery.ensure_available(service, timeout_sec=timeout), json_wanted)
