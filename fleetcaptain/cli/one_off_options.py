"""What the commands for one-offs and consoles share: options, the command after ``--``, and the exit code of errors
before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from fleetcaptain.cli.printer import echo
from fleetcaptain.errors import FleetCaptainError

__all__ = ["Entrypoint", "MachineName", "ReleaseTag", "TrailingCommand", "before_the_command", "trailing"]

_NOT_STARTED = 125
_INTERRUPTED = 130
_TRAILING = "fleetcaptain.trailing"

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


class TrailingCommand(TyperCommand):
    """A command of captain whose arguments after ``--`` are another command, also where an optional argument before it
    is left out; see `trailing`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep what follows the first ``--``."""
        own = args[: args.index("--")] if "--" in args else args
        ctx.meta[_TRAILING] = tuple(args[len(own) + 1 :])
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The pieces of the usage line."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


def trailing(ctx: typer.Context) -> tuple[str, ...]:
    """The words after ``--``; empty without it."""
    return tuple(ctx.meta.get(_TRAILING, ()))


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
