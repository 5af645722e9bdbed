"""The machine agent's program: its sources put together, and the form in which etcd keeps it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

__all__ = ["agent_program", "encoded", "program_hash"]

# In this order: the first sets what all others use, the last runs the command.
_SOURCES = (
    "common",
    "keys",
    "section",
    "checks",
    "registration",
    "health",
    "alive",
    "maintenance",
    "machines",
    "images",
    "secrets",
    "registries",
    "tasks",
    "windows",
    "proxy",
    "commands",
)


@cache
def agent_program() -> str:
    """The text of the program, for ``sh``."""
    folder = files("fleetcaptain.agent")
    return "\n".join((folder / f"{name}.sh").read_bytes().decode(errors="strict") for name in _SOURCES)


def program_hash() -> str:
    """The SHA-256 of the program, in hex. Machines refuse a program with another one."""
    return hashlib.sha256(agent_program().encode()).hexdigest()


def encoded() -> str:
    """The program as etcd keeps it: base64, so that the shell can take it out of etcd's JSON."""
    return base64.b64encode(agent_program().encode()).decode(errors="strict")
