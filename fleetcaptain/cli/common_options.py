"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain.cli.completion import services

__all__ = ["App", "Etcd", "Json", "Service"]

App = Annotated[
    str | None,
    typer.Option("--app", help="The app's name in its Fleetfile. Default: FLEETCAPTAIN_APP.", metavar="NAME"),
]
Etcd = Annotated[
    str | None,
    typer.Option(
        "--etcd", help="The URL of etcd. Default: FLEETCAPTAIN_ETCD, else http://127.0.0.1:2379.", metavar="URL"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Service = Annotated[str, typer.Argument(help="The name of the service.", autocompletion=services)]
