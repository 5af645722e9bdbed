"""``captain ensure-available``: whether a service is there, or will be soon; made for ``ExecStartPre``."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.common_options import App, Etcd, Json, Service
from fleetcaptain.cli.show import show
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def ensure_available(
        service: Service,
        timeout: Annotated[
            float, typer.Option("--timeout", help="How long to wait for it.", metavar="SECONDS", min=0)
        ] = 0,
        json_wanted: Json = False,
        app: App = None,
        etcd: Etcd = None,
    ) -> None:
        """Wait until a service is available to the caller, and print its instances as discover does.

        Exits with 0 when it is, with 3 when it is not within the time, and with 10 when etcd did not answer.
        """
        discovery = Discovery(Identity.from_environment(app=app, etcd=etcd))
        show(discovery.ensure_available(service, timeout_sec=timeout), json_wanted)
