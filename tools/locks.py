"""Pulumi's own locks that a killed run left behind. A lock whose run may still live is never removed."""

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
"""The first process namespace of a computer (PROC_PID_INIT_INO of Linux): all others lie in it and can be seen."""


@dataclass(frozen=True)
class Computer:
    """What is known here of processes: the *host* name, when it was *booted* (seconds of the Unix clock), and the
    process ids of each *pulumi* that runs in any process namespace, as it counts itself. None: some cannot be seen."""

    host: str
    booted: float
    pulumi: frozenset[int] | None


@dataclass(frozen=True)
class Freed:
    """The *stacks* whose dead locks were removed, and what is said of the locks that may be dead, a line each."""

    stacks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Lock:
    """A lock as Pulumi writes it: *who* took it (``user@host``), *pid*, *host* and *since* (seconds)."""

    who: str
    host: str
    pid: int
    since: float


def drop_dead_locks(state: Path, computer: Computer | None = None) -> Freed:
    """Remove the locks in Pulumi's *state* whose process certainly runs no more on this *computer*."""
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
    """What *proc*, the folder of processes, shows here."""
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
    """Why it cannot be known here whether the process of *lock* runs; empty when it can."""
    if lock.host != computer.host:
        return "it is of another computer"
    if computer.pulumi is None:
        return "not all processes of this computer can be seen from here"
    # A process id says nothing of an earlier boot, nor of another computer with the same name.
    return "it is older than the start of this computer" if lock.since < computer.booted else ""


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
    """Of each process that is a ``pulumi``, for numbers are given again to others. Raises OSError."""
    for folder in proc.glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().partition(b"\0")[0]
            if b"pulumi" in command:
                status = (folder / "status").read_text(errors="backslashreplace").splitlines()
                yield next(int(row.split()[-1]) for row in status if row.startswith("NSpid:"))
        except (FileNotFoundError, ProcessLookupError, StopIteration):
            continue  # it has just ended
