"""What a machine agent did for a window: one opening or closing, as etcd keeps it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EVENT_SEC", "WindowEvent"]

EVENT_SEC = 48 * 3600
"""How long etcd keeps an event. The last one of each service is its state, which stays."""


@dataclass(frozen=True)
class WindowEvent:
    """*at* this time (seconds of the Unix clock) the agent of the machine *by*, or ``deployment``, changed the number
    of instances from *before* to *after*. *due*: the ``ready_by`` that it was for; 0 for a closing. *ready*: when all
    of them were in discovery; None until then."""

    at: int
    before: int
    after: int
    due: int
    by: str
    ready: int | None = None

    def to_text(self) -> str:
        """``at=1795747806 from=4 to=12 due=1795748000 by=<machine id> ready=-``."""
        raise NotImplementedError

    @classmethod
    def from_text(cls, text: str) -> WindowEvent:
        """Parse *text*. Raises Unreadable."""
        raise NotImplementedError
