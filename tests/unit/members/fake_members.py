"""An etcd of pretended members, with the rules by which a real one takes or refuses a change of its list."""

from __future__ import annotations

from fleetcaptain.machine.definition import Member
from fleetcaptain.members.member import ChangeKind, Listed, MemberChange, Seen, quorum

__all__ = ["Etcd", "members"]


def members(*names: str) -> tuple[Member, ...]:
    """Members of these names, each at an address of its own."""
    return tuple(Member(name, f"10.0.0.{name[1:]}") for name in names)


class Etcd:
    """Starts with the members *names*, all running. *history* has every step that was done."""

    def __init__(self, *names: str) -> None:
        self.listed = {
            member.address: Listed(f"id-{member.name}", member.name, member.address) for member in members(*names)
        }
        self.data = set(names)
        self.running = set(names)
        self.history: list[str] = []
        self._count = 0

    def lose(self, *names: str) -> None:
        """The machines are gone, and their data."""
        self.data -= set(names)
        self.running -= set(names)

    def stop(self, *names: str) -> None:
        """The machines are gone for now."""
        self.running -= set(names)

    def observed(self) -> Seen | None:
        """As an operator sees it; None when nobody answers."""
        up = [one for one in self.listed.values() if one.name in self.running]
        if not up:
            return None
        decisive = len(up) >= quorum(len(self.listed))
        healthy = frozenset(one.address for one in up) if decisive else frozenset()
        return Seen(tuple(self.listed.values()), healthy, frozenset(self.data))

    def do(self, step: MemberChange) -> str:
        """What the step asks for. Fails the test when a real etcd would be without a quorum, or refuse."""
        up = [one for one in self.listed.values() if one.name in self.running]
        address, name = step.member.address, step.member.name
        if step.verb is not ChangeKind.START:
            assert len(up) >= quorum(len(self.listed)), f"{step} without a quorum"
        if step.verb is ChangeKind.REMOVE:
            left = [one for one in up if one.id != step.id]
            assert len(left) >= quorum(len(self.listed) - 1), f"{step} leaves no quorum"
            gone = self.listed.pop(address)
            assert gone.id == step.id
            self.running.discard(gone.name)
        elif step.verb is ChangeKind.ADD:
            assert all(one.name for one in self.listed.values()), f"{step} before the last one has joined"
            assert len(self.listed) == 1 or len(up) >= quorum(len(self.listed) + 1), f"{step} leaves no quorum"
            self._count += 1
            self.listed[address] = Listed(f"new-{self._count}", "", address)
            self.data.discard(name)
        else:
            self.listed[address] = Listed(self.listed[address].id, name, address)
            self.data.add(name)
            self.running.add(name)
        self.history.append(f"{step.verb} {name}")
        return ""

    @property
    def names(self) -> set[str]:
        """Who takes part."""
        return {one.name for one in self.listed.values()}
