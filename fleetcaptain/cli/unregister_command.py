"""``captain unregister``: removes the registration of this instance."""

from __future__ import annotations

import typer

from fleetcaptain.cli.common_options import App, Etcd, Json, Service
from fleetcaptain.cli.show import show_key
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def unregister(service: Service, json_wanted: Json = False, app: App = None, etcd: Etcd = None) -> None:
        """Remove this instance's registration of a service.

        The unit keeps running, but discovery leaves the instance out until it registers again or restarts. Exits with
        10 when etcd does not answer.

        Example: captain unregister redis
        """
        discovery = Discovery(Identity.from_environment(app=app, etcd=etcd))
        discovery.unregister(service)
        show_key(discovery, service, json_wanted)
