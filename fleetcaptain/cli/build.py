"""All commands of ``captain``, put together. A command is a module of this package with a function `add`."""

from __future__ import annotations

import typer

from fleetcaptain.cli import discover, doctor, ensure_available, register, releases, restart, secure, unregister

__all__ = ["build"]

# In the order in which the help lists them.
_COMMANDS = (discover, ensure_available, register, unregister, restart, releases, doctor, secure)


def build() -> typer.Typer:
    """The command line. An error of ours passes through it to `main`, without typer's traceback."""
    captain = typer.Typer(
        help="What is not a deployment: finding services, saying which one is ready, restarting them, old releases.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @captain.callback()
    def _whole() -> None:
        """With a callback, one command alone still has a name."""

    for command in _COMMANDS:
        command.add(captain)
    return captain
