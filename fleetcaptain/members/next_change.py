"""The next step from etcd's members to the wanted ones. Pure: computed from the observed state each time, so that a run
that was killed can be continued anywhere.

The order follows etcd's runtime-configuration.md: a lost member is removed before another is added, a member is added
before it starts, one at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fleetcaptain.errors import QuorumLost
from fleetcaptain.machine.definition import Member
from fleetcaptain.members.member import ChangeKind, Listed, MemberChange, Seen, Wait, quorum

__all__ = ["next_step", "refuse_loss"]


def refuse_loss(members: Collection[str], data: Collection[str]) -> None:
    """Raise QuorumLost when some of *members* (names) have their *data*, but too few for a quorum. With no data left
    there is nothing to lose."""
    lost = sorted(set(members) - set(data))
    left = len(members) - len(lost)
    if left and left < quorum(len(members)):
        raise QuorumLost(
            f"etcd has no quorum: {len(lost)} of its {len(members)} members lost their data ({', '.join(lost)}). "
            "Nothing was changed. Restore the data and run the same command again. If that is impossible, the cluster "
            "is lost: run `pulumi destroy`, then `pulumi up` for a new one with all its units."
        )


def next_step(wanted: Sequence[Member], seen: Seen) -> MemberChange | Wait | None:
    """The next step; None when the members are those *wanted*. Raises QuorumLost."""
    known = {one.address: one for one in seen.listed}
    names = {member.address: member.name for member in wanted}
    joining = next((member for member in wanted if member.address in known and not known[member.address].name), None)
    if joining is not None:
        return MemberChange(ChangeKind.START, joining)
    lost = [one for one in seen.listed if one.address in names and names[one.address] not in seen.data]
    surplus = [one for one in seen.listed if one.address not in names]
    missing = [member for member in wanted if member.address not in known]
    refuse_loss([one.name for one in seen.listed], [one.name for one in seen.listed if one not in lost])
    dead = [*lost, *(one for one in surplus if one.address not in seen.healthy)]
    step: MemberChange | None = None
    if dead:
        step = _removal(dead[0])
    elif missing:
        step = MemberChange(ChangeKind.ADD, missing[0])
    elif surplus:
        step = _removal(surplus[-1])
    return step and _safe(step, dead, seen)


def _removal(one: Listed) -> MemberChange:
    return MemberChange(ChangeKind.REMOVE, Member(one.name, one.address), one.id)


def _safe(step: MemberChange, dead: Sequence[Listed], seen: Seen) -> MemberChange | Wait:
    """*step* if all other members are healthy, else a wait. Members of *dead* are not waited for, but count for the
    quorum."""
    absent = [one for one in seen.listed if one.address not in seen.healthy]
    waited = tuple(one.name for one in absent if one not in dead)
    if waited or len(seen.listed) - len(absent) < quorum(len(seen.listed)):
        return Wait(waited or tuple(one.name for one in absent))
    return step
