"""Files of the project that a stack's state and outputs name: relative to its folder, so that it can be moved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["STACKS", "from_project", "has_relative_files", "located", "project_folder"]

STACKS = ".fleetcaptain"
"""The folder of the project in which each stack has a folder with its keys."""

_OWN = (STACKS, ".tools")
_FILES = ("key", "known_hosts")


def from_project(text: str) -> Path:
    """A path of the project itself, relative to its folder. Pure.

    Earlier versions wrote absolute paths. Of those the part from `STACKS` or ``.tools`` on counts: the project may have
    been moved since. All other paths are returned as they are.
    """
    path = Path(text)
    starts = [number for number, part in enumerate(path.parts) if part in _OWN]
    return Path(*path.parts[starts[-1] :]) if path.is_absolute() and starts else path


def located(connection: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """*connection* with its files found from the project's folder *root*; "" stays "". Pure, but for ``~``."""
    found = dict(connection)
    for name in _FILES:
        if text := found.get(name):
            path = from_project(text) if found.get("kind") == "local" else Path(text).expanduser()
            found[name] = str(root / path)
    return found


def has_relative_files(connection: Mapping[str, Any]) -> bool:
    """Whether *connection* names files that only the project's folder locates."""
    texts = [connection.get(name) or "" for name in _FILES]
    return any(text and not Path(text).expanduser().is_absolute() for text in texts)


def project_folder(start: Path) -> Path | None:
    """The folder of the Pulumi project that *start* is in: the next one upwards with a ``Pulumi.yaml``, as Pulumi
    itself looks for it. None when there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / "Pulumi.yaml").is_file()), None)
