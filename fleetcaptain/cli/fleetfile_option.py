"""The Fleetfile that a command names, read and rendered as a deployment does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleetcaptain.errors import FleetfileError, with_more
from fleetcaptain.fleet.connection import ClusterKind

if TYPE_CHECKING:
    from fleetcaptain.fleetfile.values import App
    from fleetcaptain.units.render_task import TaskFiles
    from fleetcaptain.units.unit_file import UnitFile

__all__ = ["BY_OPTION", "DEFAULT_STACK", "Cluster", "File", "StackFile", "rendered"]

File = Annotated[
    Path, typer.Option("--file", help="The Fleetfile, or its folder. Default: this folder.", metavar="PATH")
]

StackFile = Annotated[
    Path,
    typer.Option(
        "--file",
        help="The Fleetfile, or its folder. Default: this folder, or else the one that the stack deploys.",
        metavar="PATH",
    ),
]

Cluster = Annotated[
    ClusterKind | None,
    typer.Option(
        "--cluster",
        help="The kind of cluster that the units are for. Default: that of the stack, if the command reads it.",
        show_choices=True,
        show_default=False,
    ),
]
"""The unit of the proxy differs: AWS has a load balancer before it."""

BY_OPTION = "name its folder with --file"
"""How to name another Fleetfile to a command with the option `File`."""

DEFAULT_STACK = "fleetcaptain/dev"
"""The stack in the marks of rendered units, unless the command names another: what `make up` deploys."""

_NO_STACK = (
    "`captain check` and `captain render` do not read a stack. Pass values: "
    """`PULUMI_CONFIG='{"shop:greeting": "x"}' captain check`."""
)


def rendered(
    path: Path, stack: str = DEFAULT_STACK, kind: ClusterKind | None = None, *, elsewhere: str = BY_OPTION
) -> tuple[App, Mapping[str, UnitFile], Mapping[str, TaskFiles]]:
    """The app in the Fleetfile at *path* (a file or its folder), service -> its unit, and task -> its files, without
    the image's line, as on a cluster of *kind*. *elsewhere*: how to name another Fleetfile to the command.

    Raises FleetfileError with all mistakes: those of the keywords, or else those that fleet or systemd would refuse.
    """
    from fleetcaptain.fleetfile import load
    from fleetcaptain.release.balanced_app import adapted
    from fleetcaptain.units.render import render_app
    from fleetcaptain.units.render_task import render_tasks

    try:
        json.loads(os.environ.get("PULUMI_CONFIG", "{}"))
    except ValueError as error:
        raise FleetfileError(f"PULUMI_CONFIG is not JSON: {error}", ['write it as {"shop:instances": "4"}']) from error
    try:
        fleetfile = load(path, elsewhere)
    except FleetfileError as error:
        if type(error.__cause__).__name__ == "ConfigMissingError":
            with_more(error, _NO_STACK)
        raise
    app = adapted(fleetfile, kind)
    return app, render_app(app, stack), render_tasks(app, stack)
