"""The error of a step of the toolchain: the failure, the last lines of its log, the log's path, and the remedy."""

from __future__ import annotations

from pathlib import Path

from fleetcaptain.printable import excerpt

__all__ = ["ToolFailed"]

_TAIL_LINES = 15


class ToolFailed(Exception):
    """A step failed. *log*: the file with its whole output; *by_hand*: what the user can do instead."""

    def __init__(self, what: str, *, log: Path | None = None, by_hand: str = "") -> None:
        self.what, self.log, self.by_hand = what, log, by_hand
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.log is not None:
            lines.append(f"last lines of {self.log}:")
            lines += [f"  | {line}" for line in tail(self.log)]
        if self.by_hand:
            lines.append(f"by hand: {self.by_hand}")
        return "\n".join(lines)


def tail(log: Path) -> list[str]:
    """The last lines of *log*, each cut to 500 characters; none if it does not exist."""
    try:
        return excerpt(log.read_text(errors="replace").splitlines(), _TAIL_LINES)
    except FileNotFoundError:
        return []
