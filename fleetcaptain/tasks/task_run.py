"""The journal of a task in etcd: what is known of a run. The machine agent's ``tasks.sh`` writes the same form."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from enum import StrEnum

from fleetcaptain.units.names import task_unit
from fleetcaptain.untrusted import NAME, WORD, Unreadable, json_object

__all__ = ["RunState", "TaskRun", "wanted_run"]

_MOST_LINES = 2**53
_MOST_STATUS = 255


class RunState(StrEnum):
    """The state of a run. `UNKNOWN`: it began, and its machine ended, or was cut off, before it wrote a result."""

    WANTED = "wanted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class TaskRun:
    """One run of a task: the *unit* that runs it, whose text has the SHA1 *unit_hash*; *who* wants it, and since when
    (*asked*, ISO 8601, UTC).

    Of a run that began: its *machine* and the end of its output (*tail*), of *lines* lines in all. Of one that ended:
    its exit *status*, when (*until*), and the *reason*: ``exited``, ``timeout``, ``pull``, ``stopped`` by systemd,
    ``alone`` without an answer of etcd, ``superseded`` by another entry, ``lost``.
    """

    state: RunState
    unit: str
    unit_hash: str
    who: str
    asked: str
    machine: str = ""
    lines: int = 0
    tail: str = ""
    reason: str = ""
    status: int = 0
    until: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it is to run, or runs."""
        return self.state in (RunState.WANTED, RunState.RUNNING)

    def to_json(self) -> str:
        """The text kept in etcd. The agent compares its beginning, and keeps the rest of a wanted run."""
        data = {"state": self.state.value, "unit": self.unit, "content": self.unit_hash, "who": self.who}
        data |= {"asked": self.asked}
        if self.state is not RunState.WANTED:
            output = base64.b64encode(self.tail.encode(errors="replace")).decode(errors="strict")
            began = {"machine": self.machine, "run": "", "lines": self.lines, "output": output}
            ended = {} if self.is_active else {"reason": self.reason, "status": self.status, "until": self.until}
            return json.dumps({**data, **began, **ended}, separators=(",", ":"))
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> TaskRun:
        """The run that *text* is. Raises Unreadable."""
        fields = json_object(text)
        try:
            state = RunState(fields.text("state", WORD))
            tail = base64.b64decode(fields.text("output", default=""), validate=True).decode(errors="replace")
        except Unreadable:
            raise
        except ValueError as error:
            raise Unreadable(f"it is no journal of a task: {error}") from error
        return cls(
            state=state,
            unit=fields.text("unit", NAME),
            unit_hash=fields.text("content", WORD),
            who=fields.text("who"),
            asked=fields.text("asked", WORD),
            machine=fields.text("machine", WORD, ""),
            lines=fields.number("lines", 0, _MOST_LINES) if "lines" in fields else 0,
            tail=tail,
            reason=fields.text("reason", WORD, ""),
            status=fields.number("status", 0, _MOST_STATUS) if "status" in fields else 0,
            until=fields.text("until", WORD, ""),
        )


def wanted_run(task: str, unit_hash: str, attempt: str, who: str, now: str) -> TaskRun:
    """A new run of *task*; *attempt* is a word that no other run has."""
    return TaskRun(RunState.WANTED, task_unit(task, attempt), unit_hash, who, now)
