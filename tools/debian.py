"""Debian's package manager, one call at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from tools.pins import BY_HAND
from tools.project_layout import Layout
from tools.shell import run
from tools.tool_failure import ToolFailed

__all__ = ["install_packages"]

_one_at_a_time = threading.Lock()
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def install_packages(packages: Sequence[str], layout: Layout) -> None:
    """Install *packages*; if that fails, update the package lists, which may be missing or old, and try again."""
    log = layout.log("debian packages")
    install = ("apt-get", "install", "-y", "--no-install-recommends", *packages)
    with _one_at_a_time:
        log.unlink(missing_ok=True)
        try:
            run(install, log, env=_QUIET)
        except ToolFailed:
            run(("apt-get", "update"), log, env=_QUIET, by_hand=BY_HAND["debian packages"])
            run(install, log, env=_QUIET, by_hand=BY_HAND["debian packages"])
