"""Shortens what ``pulumi up`` and ``pulumi preview`` print where there is no terminal: each state of each resource is a
line of its own there. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["Shortened"]

_DOTS = re.compile(r"@ [a-z ]+\.+")
# What happens to a resource, in four characters, its type, its name, and its state.
_ROW = re.compile(r"(?P<what>[ +\-~><=]{4})\S+:\S+:\S+ \S+ *(?P<state>.*)")
# It begins, or goes on, without anything to say.
_BEGUN = re.compile(r"(creat|updat|replac|delet)ing(?: \([^)]*\))?(?: \[diff: [^]]*\])?;? *")
_PHASE = re.compile(r"(Previewing|Updating|Destroying|Refreshing)\b.* \(.+\):")
_SECTION = re.compile(r"(Diagnostics|Policies|Outputs|Resources):")


class Shortened:
    """Passes lines on to *write*, but for dots, and the rows of resources that are read, do not change or have nothing
    to say; *quiet*: but for all rows. What follows the rows (diagnostics, outputs, the summary) and any other line is
    passed on."""

    def __init__(self, write: Callable[[str], None], *, quiet: bool) -> None:
        self._write, self._quiet, self._in_rows = write, quiet, True

    def line(self, line: str) -> None:
        """Take the next line, without its end."""
        if _PHASE.fullmatch(line):
            self._in_rows = True
        elif _SECTION.fullmatch(line):
            self._in_rows = False
        if self._in_rows and self._drops(line):
            return
        self._write(line)

    def _drops(self, line: str) -> bool:
        if not line.strip() or _DOTS.fullmatch(line):
            return True
        row = _ROW.fullmatch(line)
        if row is None:
            return False
        is_read = not row["what"].strip() or row["state"].startswith("refresh")
        return self._quiet or is_read or _BEGUN.fullmatch(row["state"]) is not None
