"""The saved plan of the command that runs this program: ``pulumi up --plan FILE``. The engine checks each resource
against it, and does not pass it on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["plan_file", "plan_in"]

# pulumi starts the language host, which starts the program.
_ANCESTORS = 3


def plan_file() -> Path | None:
    """The file of the plan that ``pulumi`` applies; None without a plan, and where processes are not in ``/proc``."""
    process = os.getppid()
    for _ in range(_ANCESTORS):
        try:
            argv = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
            plan = plan_in(argv)
            if plan:
                return Path(os.readlink(f"/proc/{process}/cwd")) / plan
            stat = Path(f"/proc/{process}/stat").read_bytes()
        except OSError:
            return None
        # The name of the program, in brackets, may have anything in it.
        process = int(stat.rpartition(b")")[2].split()[1])
    return None


def plan_in(argv: Sequence[str]) -> str:
    """The plan in the command line *argv* of ``pulumi``, relative to its folder; "" without one, and for any other
    program."""
    if not argv or Path(argv[0]).name != "pulumi":
        return ""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word == "--plan":
            return following
        if word.startswith("--plan="):
            return word.removeprefix("--plan=")
    return ""
