"""What the commands for one-offs and consoles share: options, and the exit code of what failed before the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from fleetcaptain.cli.printer import echo
from fleetcaptain.errors import FleetCaptainError

__all__ = ["Entrypoint", "MachineName", "ReleaseTag", "before_the_command"]

_NOT_STARTED = 125
_INTERRUPTED = 130

ReleaseTag = Annotated[
    str, typer.Option("--release", help="A release's image and settings. Default: the current ones.", metavar="TAG")
]
MachineName = Annotated[
    str,
    typer.Option("--machine", help="The machine. Default: one that runs the service.", metavar="NAME|ADDRESS|ID"),
]
Entrypoint = Annotated[
    str | None,
    typer.Option("--entrypoint", help='Replaces the entrypoint of the image; "" removes it.', metavar="PROGRAM"),
]


@contextmanager
def before_the_command() -> Iterator[None]:
    """An error in the block means that the command was not started: exit code 125, as docker's."""
    try:
        yield
    except FleetCaptainError as error:
        echo(f"captain: {error}", error=True)
        raise typer.Exit(_NOT_STARTED) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(_INTERRUPTED) from error
