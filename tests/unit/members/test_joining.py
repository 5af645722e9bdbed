"""A member is put on etcd's list before its machine, which others start."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import ClusterRefused, DeadlineExceeded
from fleetcaptain.machine.definition import Member
from fleetcaptain.members.joining import list_member
from fleetcaptain.members.member import ChangeKind, MemberChange
from tests.unit.members.fake_members import Etcd, members

STEP_SEC = 30


def join(etcd: Etcd, *names: str, sleeps: list[float] | None = None) -> list[str]:
    """List the last of *names*; what is reported."""
    reported: list[str] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if sleeps is not None:
            sleeps.append(seconds)

    def add(member: Member) -> str:
        return etcd.do(MemberChange(ChangeKind.ADD, member))

    list_member(
        members(*names), etcd.observed, add, reported.append, step_sec=STEP_SEC, clock=lambda: now[0], sleep=sleep
    )
    return reported


def test_it_is_listed_and_not_waited_for() -> None:
    """Its machine is launched only then."""
    etcd = Etcd("m1", "m2", "m3")
    assert join(etcd, "m1", "m2", "m3", "m4") == ["etcd: add member m4"]
    assert etcd.listed["10.0.0.4"].name == ""


def test_one_that_is_listed_or_has_joined_is_not_added_again() -> None:
    """An update that was cut off goes on; one that runs again changes nothing."""
    etcd = Etcd("m1", "m2", "m3")
    join(etcd, "m1", "m2", "m3", "m4")
    assert join(etcd, "m1", "m2", "m3", "m4") == []
    assert join(Etcd("m1", "m2", "m3", "m4"), "m1", "m2", "m3", "m4") == []


def test_the_next_one_waits_for_the_one_before_it() -> None:
    """Two that have not started would need a quorum of those that have."""
    etcd = Etcd("m1", "m2", "m3")
    join(etcd, "m1", "m2", "m3", "m4")
    with pytest.raises(DeadlineExceeded, match="the machine of m4 has not started it yet"):
        join(etcd, "m1", "m2", "m3", "m4", "m5")
    assert "10.0.0.5" not in etcd.listed


def test_none_joins_while_another_one_is_away() -> None:
    """The new one may not start, and then two are away."""
    etcd = Etcd("m1", "m2", "m3")
    etcd.stop("m2")
    with pytest.raises(DeadlineExceeded, match="waiting for etcd on m2"):
        join(etcd, "m1", "m2", "m3", "m4")
    assert len(etcd.listed) == 3


def test_nothing_is_removed_for_it() -> None:
    """A member that the stack does not know may be somebody's."""
    etcd = Etcd("m1", "m2", "m3", "m9")
    with pytest.raises(ClusterRefused, match=r"the member m9 at 10\.0\.0\.9"):
        join(etcd, "m1", "m2", "m3")
    assert len(etcd.listed) == 4
