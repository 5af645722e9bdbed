"""The project's files in a stack's state and outputs: relative to the project's folder, so that it can be moved."""

from __future__ import annotations

from pathlib import Path

__all__ = ["STACKS", "STAGED", "from_project", "project_folder"]

STACKS = ".fleetcaptain"
"""The folder of the project in which each stack has a folder with its keys."""

STAGED = "builds"
"""The folder in that of a stack with copies of what builds send. A deployment makes them again."""

_OWN = (STACKS, ".tools")


def from_project(text: str) -> Path:
    """A path of the project, relative to its folder. Pure.

    Earlier versions wrote absolute paths. Only their part from `STACKS` or ``.tools`` on is used: the project may have
    been moved since. All other paths are returned unchanged.
    """
    path = Path(text)
    starts = [number for number, part in enumerate(path.parts) if part in _OWN]
    return Path(*path.parts[starts[-1] :]) if path.is_absolute() and starts else path


def project_folder(start: Path) -> Path | None:
    """The folder of the Pulumi project that contains *start*: the nearest one upwards with a ``Pulumi.yaml``, as Pulumi
    itself looks for it. None when there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / "Pulumi.yaml").is_file()), None)
