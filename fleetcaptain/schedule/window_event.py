"""What a machine agent did for a window: one opening or closing, as etcd keeps it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleetcaptain.untrusted import Unreadable

__all__ = ["DEPLOYMENT", "EVENT_SEC", "WindowEvent"]

DEPLOYMENT = "deployment"
"""What `WindowEvent.by` is when no agent changed the number, but a deployment."""
EVENT_SEC = 48 * 3600
"""How long etcd keeps an event. The last one of each service is its state, which stays."""
_TIME = "0|[1-9][0-9]{0,10}"
_INSTANCES = "0|[1-9][0-9]{0,2}"
_EVENT = re.compile(
    rf"at=(?P<at>{_TIME}) from=(?P<before>{_INSTANCES}) to=(?P<after>{_INSTANCES}) due=(?P<due>{_TIME})"
    rf" by=(?P<by>[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}) ready=(?P<ready>-|{_TIME})"
)


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
        ready = "-" if self.ready is None else self.ready
        return f"at={self.at} from={self.before} to={self.after} due={self.due} by={self.by} ready={ready}"

    @classmethod
    def from_text(cls, text: str) -> WindowEvent:
        """Parse *text*. Raises Unreadable."""
        found = _EVENT.fullmatch(text)
        if not found:
            raise Unreadable("it is not an event of a window")
        numbers = {name: int(found[name]) for name in ("at", "before", "after", "due")}
        return cls(**numbers, by=found["by"], ready=None if found["ready"] == "-" else int(found["ready"]))
