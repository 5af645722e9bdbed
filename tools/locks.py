"""Pulumi's own locks that a killed run left behind. Locks of runs that may still live are never touched."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

__all__ = ["drop_dead_locks", "is_pulumi"]


def drop_dead_locks(state: Path, runs: Callable[[int], bool], host: str = "") -> tuple[str, ...]:
    """Remove the locks in Pulumi's *state* whose process, of this computer, *runs* no more; the stacks they locked."""
    freed = []
    for lock in sorted((state / ".pulumi" / "locks").rglob("*.json")):
        try:
            holder = json.loads(lock.read_text())
            dead = holder["hostname"] == (host or socket.gethostname()) and not runs(int(holder["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if dead:
            lock.unlink(missing_ok=True)
            Path(f"{lock}.attrs").unlink(missing_ok=True)
            freed.append(lock.parent.name)
    return tuple(freed)


def is_pulumi(pid: int) -> bool:
    """Whether process *pid* runs and is a ``pulumi``: numbers are given again to others."""
    try:
        return "pulumi" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0]
    except OSError:
        return False
