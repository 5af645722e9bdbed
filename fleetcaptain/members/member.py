"""Members of etcd, as it lists them, and steps to other ones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fleetcaptain.machine.definition import Member

__all__ = ["Listed", "Seen", "Step", "Verb", "Wait", "quorum"]


@dataclass(frozen=True)
class Listed:
    """A member on etcd's own list. *name* is empty until it has started for the first time."""

    id: str
    name: str
    address: str


@dataclass(frozen=True)
class Seen:
    """What the cluster shows: the members *listed*, the addresses of those that are *healthy* (they serve requests that
    need a quorum), and the names of the machines that have etcd's *data*, running or not."""

    listed: tuple[Listed, ...]
    healthy: frozenset[str]
    data: frozenset[str]


class Verb(StrEnum):
    """What is done to a member."""

    REMOVE = "remove"
    ADD = "add"
    START = "start"


@dataclass(frozen=True)
class Step:
    """The one next thing to do: remove a member (*id*) from etcd's list, add *member* to it, or start the machine of a
    *member* that is on it and has not joined yet. What is added has to be without data when it starts."""

    verb: Verb
    member: Member
    id: str = ""


@dataclass(frozen=True)
class Wait:
    """Nothing may be done before the members *names* are healthy."""

    names: tuple[str, ...]


def quorum(count: int) -> int:
    """How many of *count* members can decide."""
    return count // 2 + 1
