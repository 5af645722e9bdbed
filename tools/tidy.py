"""Removes empty folders and stops the engine after the last stack is removed. Keys, certificates and state stay."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tools.docker_engine import Daemon
from tools.project_layout import Layout

__all__ = ["tidy"]

# `STAGED` of fleetcaptain/fleet/project_files.py, which needs more than Python itself.
_COPIES = "builds"
_COMPRESSED = (".gz", ".zst")
# The files that Pulumi writes into each new folder for states.
_OF_NO_STACK = {".pulumi/meta.yaml", ".pulumi/meta.yaml.attrs"}


def tidy(layout: Layout, daemon: Daemon, say: Callable[[str], None], *, backend: str = "") -> None:
    """Remove the empty folders of stacks and of Pulumi's state, and stop the engine that was started here if no
    container uses it. No file of a stack is removed, except copies of what builds send: it is not always known whether
    the stack still exists.

    *backend*: PULUMI_BACKEND_URL. If it points elsewhere, the stacks are there, and no folder is removed. Raises
    ToolFailed if the engine does not stop.
    """
    stacks = _stacks(layout.state)
    if stacks:
        say(f"other stacks still exist: {', '.join(stacks)}")
        return
    if backend.rstrip("/") in ("", f"file://{layout.state}"):
        _remove_empty(layout)
        kept = sorted(path.name for path in layout.stacks.glob("*/") if path != layout.state)
        if kept:
            say(f"Kept the files of {', '.join(kept)} in {layout.stacks}.")
    running = daemon.containers() if daemon.pid() is not None else ()
    if running:
        say(f"The Docker engine still runs, because containers use it: {', '.join(running)}.")
        say("To stop it, remove them and run `make down` here again.")
    elif daemon.stop():
        say("stopped the Docker engine that was started here")


def _stacks(state: Path) -> list[str]:
    """The names of the stacks with a state in the folder *state*, in any of Pulumi's formats. Backups do not count:
    they belong to removed stacks, or are next to the state."""
    found = set()
    for path in (state / ".pulumi" / "stacks").rglob("*"):
        name = path.name.removesuffix(path.suffix) if path.suffix in _COMPRESSED else path.name
        if name.endswith(".json"):
            found.add(name.removesuffix(".json"))
    return sorted(found)


def _remove_empty(layout: Layout) -> None:
    files = [path for path in layout.state.rglob("*") if not path.is_dir()]
    if {path.relative_to(layout.state).as_posix() for path in files} <= _OF_NO_STACK:
        for path in files:
            path.unlink(missing_ok=True)
    for copies in layout.stacks.glob(f"*/{_COPIES}"):
        shutil.rmtree(copies, ignore_errors=True)
    for folder, _, _ in os.walk(layout.stacks, topdown=False):
        with suppress(OSError):  # it is not empty
            Path(folder).rmdir()
