"""Removes what is empty, and stops the engine, when the last stack is gone. Keys, certificates and state stay."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tools.docker_engine import Daemon
from tools.project_layout import Layout

__all__ = ["tidy"]

_COMPRESSED = (".gz", ".zst")
# What Pulumi writes into each new folder for states, before there is any.
_OF_NO_STACK = {".pulumi/meta.yaml", ".pulumi/meta.yaml.attrs"}


def tidy(layout: Layout, daemon: Daemon, say: Callable[[str], None], *, backend: str = "") -> None:
    """Remove the empty folders of stacks and of Pulumi's state, and stop the engine that was started here when no
    container uses it. No file of a stack is removed: whether the stack still lives is not always known here.

    *backend*: PULUMI_BACKEND_URL. When it points elsewhere, so do the stacks, and no folder is removed. Raises
    ToolFailed when the engine does not end.
    """
    stacks = _stacks(layout.state)
    if stacks:
        say(f"other stacks are still there: {', '.join(stacks)}")
        return
    if backend.rstrip("/") in ("", f"file://{layout.state}"):
        _remove_empty(layout)
        kept = sorted(path.name for path in layout.stacks.glob("*/") if path != layout.state)
        if kept:
            say(f"Kept the files of {', '.join(kept)} in {layout.stacks}.")
    running = daemon.containers() if daemon.pid() is not None else ()
    if running:
        say(f"The Docker engine still runs, as containers use it: {', '.join(running)}.")
        say("Run `make down` here again when they are gone, to stop it.")
    elif daemon.stop():
        say("stopped the Docker engine that was started here")


def _stacks(state: Path) -> list[str]:
    """The names of the stacks whose state lies in the folder *state*, in any of Pulumi's formats. Backups are of stacks
    that were removed, or lie beside the state."""
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
    for folder, _, _ in os.walk(layout.stacks, topdown=False):
        with suppress(OSError):  # it holds something
            Path(folder).rmdir()
