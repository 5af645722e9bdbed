"""Assembles the commands of ``captain``. A command is a module of this package with a function `add`."""

from __future__ import annotations

from typing import Annotated

import typer

from fleetcaptain import __version__
from fleetcaptain.cli import (
    aws_policy_command,
    backup_command,
    bind_command,
    check_command,
    console_command,
    discover_command,
    doctor_command,
    ensure_available_command,
    history_command,
    logs_command,
    machine_key_command,
    maintenance_command,
    plan_command,
    rebalance_command,
    register_command,
    releases_command,
    render_command,
    restart_command,
    restore_command,
    rollback_command,
    run_command,
    scale_command,
    schedule_command,
    secrets_command,
    secure_command,
    ssh_command,
    status_command,
    timeline_command,
    unregister_command,
    volumes_command,
)
from fleetcaptain.cli.printer import echo

__all__ = ["build"]

# In the order in which the help lists them.
_COMMANDS = (
    status_command,
    logs_command,
    discover_command,
    ensure_available_command,
    register_command,
    unregister_command,
    run_command,
    console_command,
    ssh_command,
    restart_command,
    scale_command,
    rebalance_command,
    maintenance_command,
    volumes_command,
    backup_command,
    restore_command,
    bind_command,
    releases_command,
    rollback_command,
    history_command,
    timeline_command,
    schedule_command,
    check_command,
    render_command,
    plan_command,
    doctor_command,
    aws_policy_command,
    secrets_command,
    machine_key_command,
    secure_command,
)


def build() -> typer.Typer:
    """The command line. A FleetCaptainError passes through it to `main`, without typer's traceback."""
    captain = typer.Typer(
        help="Operate a deployed app: status, discovery, releases, logs.",
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
