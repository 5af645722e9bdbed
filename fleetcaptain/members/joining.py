"""A member joins a running etcd, and its machine is started by others: etcd must list it before that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.machine.definition import Member
from fleetcaptain.members.member import ChangeKind, MemberChange, Seen
from fleetcaptain.members.reconcile import reconcile

__all__ = ["list_member"]


def list_member(
    wanted: Sequence[Member],
    observe: Callable[[], Seen | None],
    add: Callable[[Member], str],
    report: Callable[[str], None],
    *,
    step_sec: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when etcd lists the last of *wanted*: its machine may start. The members before it must have joined, and
    all that etcd lists must be healthy: with one that is away, another one that does not start would cost the quorum.

    *observe* and *step_sec*: see `reconcile`. *add* adds a member to etcd's list, or returns why etcd refuses it now.
    Raises DeadlineExceeded with the pending step, QuorumLost, and ClusterRefused if etcd has a member that is none of
    *wanted*.
    """
    last = wanted[-1]

    def expected() -> Seen | None:
        """As if the last one, once it is listed, had started."""
        seen = observe()
        if seen is None:
            return None
        listed = tuple(replace(one, name=last.name) if one.address == last.address else one for one in seen.listed)
        return replace(seen, listed=listed, data=seen.data | {last.name})

    def do(step: MemberChange) -> str:
        if step.verb is ChangeKind.ADD:
            return add(step.member)
        if step.verb is ChangeKind.START:
            return f"the machine of {step.member.name} has not started it yet"
        raise ClusterRefused(
            f"Cannot add {last.name} to etcd. Its members were not changed:",
            [
                f"etcd has the member {step.member.name or step.id} at {step.member.address}, which this stack does "
                "not declare. Remove it from etcd first (docs/aws.md), then run `pulumi up` again"
            ],
        )

    reconcile(wanted, expected, do, report, step_sec=step_sec, clock=clock, sleep=sleep)
