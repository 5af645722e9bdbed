"""Who rolls a service out: as people read it, and so that a dead process can be told from a living one."""

from __future__ import annotations

import getpass
import json
import os
import socket
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from fleetcaptain.untrusted import WORD, json_object

__all__ = ["Owner", "is_dead", "this_process"]


@dataclass(frozen=True)
class Owner:
    """One rollout of one process: *who* (``user@host``), *since* (ISO 8601, UTC), *place* (the boot and the process
    tree that *pid* counts in), *started* (the process's start, by its kernel's clock) and *token*, never used twice."""

    who: str
    since: str
    place: str
    pid: int
    started: str
    token: str

    def to_json(self) -> str:
        """The text kept in etcd."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Owner:
        """The owner that *text* is. Raises Unreadable."""
        fields = json_object(text)
        return cls(
            who=fields.text("who"),
            since=fields.text("since", WORD),
            place=fields.text("place"),
            pid=fields.number("pid", 1, 2**32),
            started=fields.text("started", WORD),
            token=fields.text("token", WORD),
        )


def this_process() -> Owner:
    """A new owner: this process, now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return Owner(who, now, _place(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex)


def is_dead(owner: Owner) -> bool:
    """Whether *owner* was a process of this computer that is no more. Of another computer's nothing is known."""
    return owner.place == _place() and _started(owner.pid) != owner.started


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(errors="backslashreplace").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """The start of process *pid* in ticks since boot (proc(5), field 22 of stat); empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="backslashreplace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
