"""Removes Pulumi's locks of killed runs. A lock whose run may still be alive is never removed."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

__all__ = ["Computer", "Freed", "drop_dead_locks", "this_computer"]

_WHOLE_COMPUTER = "pid:[4026531836]"
"""The first process namespace of a computer (PROC_PID_INIT_INO of Linux): all others are inside it and visible."""


@dataclass(frozen=True)
class Computer:
    """The visible processes: the *host* name, when it was *booted* (seconds of the Unix clock), and the
    process ids of each *pulumi* in its own process namespace. None: some processes are not visible."""

    host: str
    booted: float
    pulumi: frozenset[int] | None


@dataclass(frozen=True)
class Freed:
    """The *stacks* whose dead locks were removed, and a message for each lock that may be dead."""

    stacks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Lock:
    """A lock in Pulumi's format: *who* took it (``user@host``), *pid*, *host* and *since* (seconds)."""

    who: str
    host: str
    pid: int
    since: float


def drop_dead_locks(state: Path, computer: Computer | None = None) -> Freed:
    """Remove the locks in Pulumi's *state* whose process has certainly ended on this *computer*."""
    stacks, doubts = [], []
    for file in sorted((state / ".pulumi" / "locks").rglob("*.json")):
        lock = _read(file)
        if lock is None:
            continue
        computer = computer or this_computer()
        doubt, stack = _doubt(lock, computer), file.parent.name
        if doubt:
            taken = f"the stack {stack} is locked by {lock.who} (process {lock.pid})"
            doubts.append(f"{taken}, which may run: {doubt}. If it does not run, run `pulumi cancel --stack {stack}`.")
        elif lock.pid not in (computer.pulumi or ()):
            file.unlink(missing_ok=True)
            Path(f"{file}.attrs").unlink(missing_ok=True)
            stacks.append(stack)
    return Freed(tuple(stacks), tuple(doubts))


def this_computer(proc: Path = Path("/proc")) -> Computer:
    """The processes in the folder *proc*."""
    try:
        booted = next(
            float(row.split()[1])
            for row in (proc / "stat").read_text(errors="backslashreplace").splitlines()
            if row[:5] == "btime"
        )
    except (OSError, StopIteration):
        return Computer(socket.gethostname(), 0, None)
    return Computer(socket.gethostname(), booted, _pulumi(proc))


def _read(file: Path) -> _Lock | None:
    try:
        lock = json.loads(file.read_text(errors="backslashreplace"))
        since = datetime.fromisoformat(lock["timestamp"]).timestamp()
        return _Lock(f"{lock['username']}@{lock['hostname']}", lock["hostname"], int(lock["pid"]), since)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _doubt(lock: _Lock, computer: Computer) -> str:
    """Why it is unknown whether the process of *lock* runs; empty if it is known."""
    if lock.host != computer.host:
        return "it belongs to another computer"
    if computer.pulumi is None:
        return "not all processes of this computer are visible"
    # Process ids are not comparable across boots, nor between computers with the same name.
    return "it is older than the last boot of this computer" if lock.since < computer.booted else ""


def _pulumi(proc: Path) -> frozenset[int] | None:
    """The process ids of `Computer`. None in a container, and where /proc hides the processes of others."""
    try:
        if os.readlink(proc / "self" / "ns" / "pid") != _WHOLE_COMPUTER:
            return None
        (proc / "1" / "status").read_text(errors="backslashreplace")
        return frozenset(_pids(proc))
    except OSError:
        return None


def _pids(proc: Path) -> Iterator[int]:
    """The ids of each ``pulumi`` process; ids are reused, so the program is checked. Raises OSError."""
    for folder in proc.glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().partition(b"\0")[0]
            if b"pulumi" in command:
                status = (folder / "status").read_text(errors="backslashreplace").splitlines()
                yield next(int(row.split()[-1]) for row in status if row.startswith("NSpid:"))
        except (FileNotFoundError, ProcessLookupError, StopIteration):
            continue  # it has just ended
