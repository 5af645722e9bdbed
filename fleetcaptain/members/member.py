"""etcd's members as it lists them, and the steps that change them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fleetcaptain.machine.definition import Member

__all__ = ["ChangeKind", "Listed", "MemberChange", "Seen", "Wait", "quorum"]


@dataclass(frozen=True)
class Listed:
    """A member on etcd's list. *name* is empty until it has started for the first time."""

    id: str
    name: str
    address: str


@dataclass(frozen=True)
class Seen:
    """The observed state: the members *listed*, the addresses of the *healthy* ones (they serve requests that need a
    quorum), and the names of the machines that have etcd's *data*, running or not."""

    listed: tuple[Listed, ...]
    healthy: frozenset[str]
    data: frozenset[str]


class ChangeKind(StrEnum):
    """The kind of a step."""

    REMOVE = "remove"
    ADD = "add"
    START = "start"


@dataclass(frozen=True)
class MemberChange:
    """The next step: remove a member (*id*) from etcd's list, add *member* to it, or start the machine of a *member*
    that is on the list and has not joined. A member that is added must start without data."""

    verb: ChangeKind
    member: Member
    id: str = ""


@dataclass(frozen=True)
class Wait:
    """Wait until the members *names* are healthy."""

    names: tuple[str, ...]


def quorum(count: int) -> int:
    """How many of *count* members are a quorum."""
    return count // 2 + 1
