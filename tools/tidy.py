"""Takes away what is left when the last stack is gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from tools.engine import Daemon
from tools.layout import Layout

__all__ = ["tidy"]


def tidy(layout: Layout, daemon: Daemon, say: Callable[[str], None]) -> None:
    """Remove Pulumi's state and stop the engine that was started here, unless somebody still needs them.

    Raises ToolFailed when the engine does not end.
    """
    stacks = sorted(path.stem for path in layout.state.glob(".pulumi/stacks/*/*.json"))
    if stacks:
        say(f"other stacks are still there: {', '.join(stacks)}")
        return
    shutil.rmtree(layout.stacks, ignore_errors=True)
    running = daemon.containers() if daemon.pid() is not None else ()
    if running:
        say(f"The Docker engine still runs, as containers use it: {', '.join(running)}.")
        say("Run `make down` here again when they are gone, to stop it.")
    elif daemon.stop():
        say("stopped the Docker engine that was started here")
