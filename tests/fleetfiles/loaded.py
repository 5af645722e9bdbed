"""Loads made-up Fleetfiles."""

from __future__ import annotations

import re
from pathlib import Path

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.values import App
from fleetcaptain.units.render import render_app
from fleetcaptain.units.render_task import render_tasks
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["folder_for", "loaded"]

_WHERE = re.compile(r"Fleetfile\.py:[1-9][0-9]*: .*[^ ]", re.DOTALL)


def folder_for(folder: Path) -> Path:
    """*folder* with the Dockerfiles that a made-up Fleetfile may name."""
    for built in (folder, folder / "other"):
        built.mkdir(exist_ok=True)
        (built / "Dockerfile").touch()
    return folder


def loaded(source: str, folder: Path) -> tuple[App, dict[str, UnitFile]] | None:
    """The app and the units of its services and tasks; None when *source* is refused, which it must be at its lines."""
    (folder / "Fleetfile.py").write_text(source, errors="surrogatepass")
    refused: tuple[str, ...] = ()
    try:
        app = load(folder)
        tasks = {name: files.unit for name, files in render_tasks(app, "project/stack").items()}
        return app, {**render_app(app, "project/stack"), **tasks}
    except FleetfileError as error:
        refused = error.problems
    assert refused
    assert [problem for problem in refused if not _WHERE.fullmatch(problem)] == []
    return None
