"""Options that several commands have in common."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["App", "Etcd", "Json", "Service"]

App = Annotated[
    str | None,
    typer.Option(
        "--app", help="The app's name in its Fleetfile. FLEETCAPTAIN_APP has it in a container.", metavar="NAME"
    ),
]
Etcd = Annotated[
    str | None,
    typer.Option(
        "--etcd", help="Where etcd answers. FLEETCAPTAIN_ETCD has it; on a machine, the loopback does.", metavar="URL"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Service = Annotated[str, typer.Argument(help="The service's name.")]
