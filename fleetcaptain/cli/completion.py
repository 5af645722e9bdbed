"""Completes names of services in a shell: from the Fleetfile, without running it, in no time and without a message."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from fleetcaptain.fleet.project_files import project_folder

__all__ = ["services", "services_in"]

_FILE = "Fleetfile.py"
# `fleetcaptain:project: ../shop` in the settings of a stack, or in Pulumi.yaml.
_PROJECT = re.compile(r"""^\s*["']?fleetcaptain:project["']?\s*:\s*["']?([^"'#\n]+?)["']?\s*$""", re.MULTILINE)
_KINDS = ("Service", "Task")
_MOST_BYTES = 2**20


def services(incomplete: str) -> list[str]:
    """The names of services that begin with *incomplete*; none when no Fleetfile is found, or it cannot be read."""
    try:
        names = {name for file in _fleetfiles(Path.cwd()) for name in services_in(_text(file))}
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def services_in(source: str) -> list[str]:
    """The names in the text of a Fleetfile: the first argument, or ``name=``, of each ``Service(...)``. Raises
    SyntaxError."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [
        value
        for call in calls
        if getattr(call.func, "id", getattr(call.func, "attr", "")) in _KINDS
        for value in (*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "name"))
    ]
    return [one.value for one in named if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _fleetfiles(start: Path) -> Iterator[Path]:
    """The Fleetfiles that may be meant: that of this folder, and those that the project's settings name."""
    if (start / _FILE).is_file():
        yield start / _FILE
        return
    root = project_folder(start)
    if root is None:
        return
    folders = {root}
    for settings in sorted(root.glob("Pulumi*.yaml")):
        folders |= {root / folder for folder in _PROJECT.findall(_text(settings))}
    yield from (folder / _FILE for folder in sorted(folders) if (folder / _FILE).is_file())


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES).decode(errors="replace")
