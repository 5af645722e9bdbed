"""Assembles the commands of ``captain``. A command is a module of this package with a function `add`."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain import __version__
from fleetcaptain.cli import discover_command as discover
from fleetcaptain.cli import doctor_command as doctor
from fleetcaptain.cli import ensure_available_command as ensure_available
from fleetcaptain.cli import register_command as register
from fleetcaptain.cli import releases_command as releases
from fleetcaptain.cli import restart_command as restart
from fleetcaptain.cli import secure_command as secure
from fleetcaptain.cli import unregister_command as unregister
from fleetcaptain.cli.printer import echo

__all__ = ["build"]

# In the order in which the help lists them.
_COMMANDS = (discover, ensure_available, register, unregister, restart, releases, doctor, secure)


def build() -> typer.Typer:
    """The command line. A FleetCaptainError passes through it to `main`, without typer's traceback."""
    captain = typer.Typer(
        help="Operate a deployed app: discovery, restarts, releases.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @captain.callback()
    def _options(
        *,
        version: Annotated[
            bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
        ] = False,
    ) -> None:
        """Options of ``captain`` itself; `captain --help` lists them."""

    for command in _COMMANDS:
        command.add(captain)
    return captain


def _version(requested: bool) -> None:
    """Print the version of the installed package and exit."""
    if requested:
        echo(f"captain {__version__}")
        raise typer.Exit
