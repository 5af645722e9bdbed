"""``captain register``: registers this instance of a service."""

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
                help="How to reach the instance: port=..., any other value, host=... (default: the machine's address).",
                metavar="NAME=VALUE",
            ),
        ] = None,
        *,
        versions: Annotated[
            list[str] | None,
            typer.Option("--versions", help="A further release that the instance serves. Repeatable.", metavar="TAG"),
        ] = None,
        hold: Annotated[
            bool, typer.Option("--hold", help="Keep running, renew the registration, and remove it on SIGTERM or ^C.")
        ] = False,
        json_wanted: Json = False,
        app: App = None,
        etcd: Etcd = None,
    ) -> None:
        """Register this instance of a service.

        The registration replaces the one that the unit wrote. The machine agent renews it while the unit is active
        if the service is the unit's own; any other service needs --hold. Exits with 10 when etcd does not answer.

        Example: captain register redis port=6379
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
                f"the machine agent does not renew {service!r}: this command runs "
                f"{_where(discovery.identity.service)}. Add --hold and keep the command running"
            )


def _where(service: str) -> str:
    return f"in a unit of the service {service!r}" if service else "outside of any unit"


def connection_of(pairs: Iterable[str]) -> dict[str, Any]:
    """``NAME=VALUE`` arguments as a mapping; numbers, booleans and null as in JSON. Raises typer.BadParameter."""
    connection: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{pair!r} must be NAME=VALUE, such as port=8080")
        try:
            connection[name] = json.loads(value)
        except (ValueError, RecursionError):
            connection[name] = value
    return connection
