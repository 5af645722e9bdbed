"""``captain check``: finds the mistakes of a Fleetfile, without a cluster and without Pulumi."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fleetcaptain.cli.common_options import Json
from fleetcaptain.cli.fleetfile_option import rendered
from fleetcaptain.cli.printer import echo, echo_json
from fleetcaptain.printable import one_line

__all__ = ["add"]


def add(captain: typer.Typer) -> None:
    """Add the command."""

    @captain.command()
    def check(
        path: Annotated[
            Path, typer.Argument(metavar="[FOLDER|FILE]", help="The Fleetfile, or its folder. Default: this folder.")
        ] = Path(),
        *,
        json_wanted: Json = False,
    ) -> None:
        """Check a Fleetfile without a cluster.

        Runs the file as a deployment does and lists all mistakes, each with its line. Without any it lists services,
        tasks, and the secrets that a stack must set. Exits with 0 when there are none, and with 2 otherwise.

        Example: captain check examples/behavioral
        """
        from fleetcaptain.fleetfile.values import Build

        app, files, tasks = rendered(path, elsewhere="name its folder: `captain check FOLDER`")
        built = {name for spec in app.containers if isinstance(spec.image, Build) for name in spec.image.secrets}
        secrets = sorted(built.union(*(spec.secret_names for spec in app.containers)))
        file = path / "Fleetfile.py" if path.is_dir() else path
        if json_wanted:
            document = {"file": str(file.resolve()), "app": app.app, "services": list(files), "tasks": list(tasks)}
            echo_json({**document, "secrets": secrets})
            return
        parts = [_listed("service", list(files)), *([_listed("task", list(tasks))] if tasks else [])]
        parts += [_listed("secret", secrets)] if secrets else []
        echo(f"{one_line(str(file))} is valid: the app {app.app}, {'; '.join(parts)}")


def _listed(kind: str, names: Sequence[str]) -> str:
    """``2 services: web, redis``."""
    return f"{len(names)} {kind}{'' if len(names) == 1 else 's'}: {', '.join(names)}"
