"""Changing etcd's members: one at a time, never without a quorum, from wherever a run was killed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.errors import DeadlineExceeded, QuorumLost
from fleetcaptain.members.member import MemberChange, Wait
from fleetcaptain.members.next_change import next_step, refuse_loss
from fleetcaptain.members.reconcile import reconcile
from tests.unit.members.fake_members import Etcd, members

THREE, FIVE = ("m1", "m2", "m3"), ("m1", "m2", "m3", "m4", "m5")


def settled(etcd: Etcd, *wanted: str) -> list[str]:
    """The steps from what there is to *wanted*."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    reconcile(
        members(*wanted), etcd.observed, etcd.do, lambda _told: None, step_sec=10, clock=lambda: clock[0], sleep=sleep
    )
    return etcd.history


def test_members_that_are_as_wanted_are_left_alone() -> None:
    """One look, no step."""
    assert settled(Etcd(*THREE), *THREE) == []


def test_a_member_whose_data_is_lost_is_removed_and_joins_anew() -> None:
    """In this order: as itself it could not join, it has forgotten what it promised."""
    etcd = Etcd(*THREE)
    etcd.lose("m2")
    assert settled(etcd, *THREE) == ["remove m2", "add m2", "start m2"]
    assert etcd.names == set(THREE)


def test_a_member_that_only_stopped_is_waited_for() -> None:
    """It has its data, so it comes back as it was."""
    etcd = Etcd(*THREE)
    etcd.stop("m2")
    assert etcd.observed() is not None
    assert settled(etcd, *THREE) == []


def test_nothing_is_changed_while_another_member_is_down() -> None:
    """Two at once would be too many; the one that is waited for is named."""
    etcd = Etcd(*THREE)
    etcd.stop("m3")
    etcd.lose("m2")
    seen = etcd.observed()
    assert seen is not None
    assert isinstance(next_step(members(*THREE), seen), Wait)
    with pytest.raises(DeadlineExceeded, match="waiting for etcd on m"):
        settled(etcd, *THREE)
    assert etcd.history == []


def test_of_five_members_two_are_replaced_one_after_the_other() -> None:
    """The second only when the first has joined."""
    etcd = Etcd(*FIVE)
    etcd.lose("m2", "m4")
    assert settled(etcd, *FIVE) == ["remove m2", "remove m4", "add m2", "start m2", "add m4", "start m4"]


@pytest.mark.parametrize(("all_of_them", "lost"), [(THREE, ("m2", "m3")), (FIVE, ("m1", "m3", "m5"))])
def test_what_lost_its_quorum_is_refused_with_a_way_out(all_of_them: tuple[str, ...], lost: tuple[str, ...]) -> None:
    """Whether etcd is asked, or what was last known of it."""
    with pytest.raises(QuorumLost, match=rf"{len(lost)} of its .*\({', '.join(lost)}\).*pulumi destroy"):
        refuse_loss(all_of_them, set(all_of_them) - set(lost))
    etcd = Etcd(*all_of_them)
    etcd.lose(*lost)
    with pytest.raises(QuorumLost, match="Nothing was changed"):
        settled(etcd, *all_of_them)
    assert etcd.history == []


@pytest.mark.parametrize("data", [THREE, ("m1", "m2"), ()])
def test_what_has_a_quorum_or_nothing_at_all_is_not_refused(data: tuple[str, ...]) -> None:
    """From nothing a new cluster is made."""
    refuse_loss(THREE, data)


def test_one_member_grows_to_three_one_by_one() -> None:
    """The first one stays, with all that it knows."""
    assert settled(Etcd("m1"), *THREE) == ["add m2", "start m2", "add m3", "start m3"]


def test_three_members_shrink_to_one_from_the_end() -> None:
    """Those that stay are never restarted."""
    assert settled(Etcd(*THREE), "m1") == ["remove m3", "remove m2"]


def test_a_surplus_member_that_is_dead_goes_first() -> None:
    """It counts against the quorum."""
    etcd = Etcd(*THREE)
    etcd.lose("m2")
    assert settled(etcd, "m1")[0] == "remove m2"


def test_a_step_that_etcd_refuses_for_now_is_tried_again_and_told_at_last() -> None:
    """In etcd's words."""
    etcd, refusals = Etcd("m1"), ["unhealthy cluster"] * 3
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def do(step: MemberChange) -> str:
        return refusals.pop() if refusals else etcd.do(step)

    reconcile(members(*THREE), etcd.observed, do, lambda _told: None, step_sec=10, clock=lambda: clock[0], sleep=sleep)
    assert etcd.names == set(THREE)
    refusals += ["unhealthy cluster"] * 1000
    etcd.lose("m2")
    with pytest.raises(DeadlineExceeded, match=r"remove member m2, for 10 s \(unhealthy cluster\)"):
        reconcile(
            members(*THREE), etcd.observed, do, lambda _told: None, step_sec=10, clock=lambda: clock[0], sleep=sleep
        )


@given(
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 3, 5]),
    st.integers(0, 4),
    st.lists(st.integers(1, 6), max_size=4),
)
def test_whatever_is_killed_when_the_members_come_right(before: int, after: int, lost: int, kills: list[int]) -> None:
    """From each number of members to each other, with one lost, in runs that are killed after some steps. The pretended
    etcd fails the test when a step would cost the quorum."""
    etcd = Etcd(*FIVE[:before])
    if before > 1:
        etcd.lose(FIVE[lost % before])
    for kill in kills:
        for _ in range(kill):
            seen = etcd.observed()
            step = next_step(members(*FIVE[:after]), seen) if seen else None
            if isinstance(step, MemberChange):
                etcd.do(step)
    settled(etcd, *FIVE[:after])
    assert etcd.names == set(FIVE[:after]) == etcd.running
