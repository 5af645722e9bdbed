"""Loads made-up Fleetfiles."""

from __future__ import annotations

import re
from pathlib import Path

from components.app import unit_texts
from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.values import App

__all__ = ["folder_for", "loaded"]

_WHERE = re.compile(r"Fleetfile\.py:[1-9][0-9]*: .*[^ ]", re.DOTALL)


def folder_for(folder: Path) -> Path:
    """*folder* with the Dockerfiles that a made-up Fleetfile may name."""
    for built in (folder, folder / "other"):
        built.mkdir(exist_ok=True)
        (built / "Dockerfile").touch()
    return folder


def loaded(source: str, folder: Path) -> tuple[App, dict[str, str]] | None:
    """The app and the texts of its units; None when *source* is refused, which it must be at its lines."""
    (folder / "Fleetfile.py").write_text(source, errors="surrogatepass")
    refused: tuple[str, ...] = ()
    try:
        app = load(folder)
        return app, unit_texts(app, "project/stack")
    except FleetfileError as error:
        refused = error.problems
    assert refused
    assert [problem for problem in refused if not _WHERE.fullmatch(problem)] == []
    return None
