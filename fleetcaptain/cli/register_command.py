"""``captain register``: say that this instance serves a service."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from fleetcaptain.cli.common_options import App, Etcd, Json, Service
from fleetcaptain.cli.show import show_key
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity

__all__ = ["add", "connection_of"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def register(
        service: Service,
        connection: Annotated[
            list[str] | None,
            typer.Argument(
                help="Where and how it is reached: host=... (the machine's unless given), port=..., anything else.",
                metavar="NAME=VALUE",
            ),
        ] = None,
        *,
        versions: Annotated[
            list[str] | None,
            typer.Option(
                "--versions", help="A release that it serves besides its own; may be given again.", metavar="TAG"
            ),
        ] = None,
        hold: Annotated[
            bool, typer.Option("--hold", help="Stay, renew the registration, and take it back when told to end.")
        ] = False,
        json_wanted: Json = False,
        app: App = None,
        etcd: Etcd = None,
    ) -> None:
        """Say that this instance serves a service, instead of what its unit registered by itself.

        The registration of the unit's own service is renewed by the machine's beacon as long as the unit is active;
        any other needs --hold. Exits with 10 when etcd does not answer.
        """
        discovery = Discovery(Identity.from_environment(app=app, etcd=etcd))
        pairs = connection_of(connection or ())
        if hold:
            ended = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: ended.set())
            with discovery.register(service, pairs, versions=versions or ()):
                show_key(discovery, service, json_wanted)
                ended.wait()
        elif discovery.identity.owns(service):
            discovery.announce(service, pairs, versions=versions or ())
            show_key(discovery, service, json_wanted)
        else:
            raise typer.BadParameter(
                f"nobody would renew {service!r}, since it is not the service of the unit that this runs in "
                f"({discovery.identity.service or 'it runs in none'}); add --hold, and leave the command running"
            )


def connection_of(pairs: Iterable[str]) -> dict[str, Any]:
    """``NAME=VALUE`` words as a mapping; numbers, booleans and null as JSON has them. Raises typer.BadParameter."""
    connection: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE, as in port=8080")
        try:
            connection[name] = json.loads(value)
        except (ValueError, RecursionError):
            connection[name] = value
    return connection
