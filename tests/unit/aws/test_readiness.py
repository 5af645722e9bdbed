"""Waiting for the machines of a cluster, and replacing a member only while all others are well. Time is handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from components.aws.readiness import JoinedMachines, ReadyProvider, wait_joined
from components.aws.replacement_guard import HEALTH, refuse_second_loss
from fleetcaptain.errors import ClusterRefused, ClusterUnreachable, DeadlineExceeded, Interrupted
from fleetcaptain.fleet.entities import Machine

MEMBERS = {"m1": "10.71.0.11", "m2": "10.71.1.11", "m3": "10.71.2.11"}
WANTED = JoinedMachines(4, MEMBERS, {name: f"i-{name}" for name in MEMBERS})


def machines(*names: str) -> tuple[Machine, ...]:
    """Machines in fleet; members have their addresses."""
    return tuple(Machine(name, MEMBERS.get(name, "10.71.0.99"), {"name": name}) for name in names)


def waiting(
    *snapshots: tuple[Machine, ...] | str, cancelled: Callable[[], bool] = lambda: False, timeout_sec: float = 30
) -> list[str]:
    """What is reported while *snapshots* follow one another (a text: nothing answers), a second each."""
    shown: Iterator[tuple[Machine, ...] | str] = iter([*snapshots, *[snapshots[-1]] * 200])
    messages: list[str] = []
    now = [0.0]

    def snapshot() -> tuple[Machine, ...]:
        found = next(shown)
        if isinstance(found, str):
            raise ClusterUnreachable(found)
        return found

    def sleep(_seconds: float) -> None:
        now[0] += 1

    wait_joined(WANTED, snapshot, messages.append, timeout_sec, cancelled=cancelled, clock=lambda: now[0], sleep=sleep)
    return messages


def test_it_is_over_when_every_machine_is_in_fleet() -> None:
    """Members and workers; each change is reported once."""
    assert waiting(
        "refused", "refused", machines("m1", "m2"), machines("m1", "m2", "m3"), machines("m1", "m2", "m3", "i-w")
    ) == [
        "waiting for etcd and fleet to answer",
        "2 of 4 machines are in fleet; missing members: m3",
        "3 of 4 machines are in fleet",
    ]


def test_the_reason_is_shown_when_a_minute_has_passed() -> None:
    """A machine boots in less; what stays is the key, or a program of this computer."""
    refused = ["Permission denied (publickey)"] * 70
    assert waiting(*refused, machines("m1", "m2", "m3", "i-w"), timeout_sec=100) == [
        "waiting for etcd and fleet to answer",
        "waiting for etcd and fleet to answer; the last attempt failed: Permission denied (publickey)",
    ]
    answers: list[tuple[Machine, ...] | str] = [machines("m1"), *refused[:59], machines("m1"), *refused[:59]]
    lines = waiting(*answers, machines("m1", "m2", "m3", "i-w"), timeout_sec=200)
    assert not any("Permission" in line for line in lines)


def test_more_machines_than_asked_for_are_no_hindrance() -> None:
    """A group that shrinks takes its time."""
    assert waiting(machines("m1", "m2", "m3", "i-w", "i-x")) == []


def test_machines_of_windows_do_not_count() -> None:
    """Else a worker that is missing would not be missed while a window is open."""
    of_windows = Machine("i-v", "10.71.0.98", {"name": "i-v", "group": "windows"})
    members = machines("m1", "m2", "m3")
    assert waiting((*members, of_windows), (*members, *machines("i-w"))) == ["3 of 4 machines are in fleet"]


def test_enough_machines_without_a_member_are_not_enough() -> None:
    """etcd would survive no further loss."""
    with pytest.raises(DeadlineExceeded, match="missing members: m2"):
        waiting(machines("m1", "m3", "i-w", "i-x"))


def test_a_member_is_known_by_its_address_too() -> None:
    """fleet forgets what it knows of a machine that was away."""
    named = tuple(Machine(str(number), address, {}) for number, address in enumerate(MEMBERS.values()))
    assert waiting((*named, *machines("i-w"))) == []


def test_a_timeout_says_what_is_missing_and_where_to_look() -> None:
    """With the command for it."""
    with pytest.raises(DeadlineExceeded) as raised:
        waiting(machines("m1", "m2", "i-w"))
    assert "not ready after 30 s: 3 of 4 machines are in fleet" in str(raised.value)
    assert "m3 is i-m3 at 10.71.2.11: `aws ec2 get-console-output" in str(raised.value)
    with pytest.raises(DeadlineExceeded, match="describe-scaling-activities"):
        waiting(machines("m1", "m2", "m3"))


def test_when_nothing_answers_it_says_why() -> None:
    """In ssh's own words."""
    with pytest.raises(DeadlineExceeded, match="Permission denied"):
        waiting("core@203.0.113.7: Permission denied (publickey)")


def test_it_stops_when_asked_to() -> None:
    """And says how to go on."""
    with pytest.raises(Interrupted, match="To continue waiting, run `pulumi up`"):
        waiting(machines("m1"), cancelled=lambda: True)


def test_members_may_join_and_none_may_leave() -> None:
    """A preview already says how a cluster shrinks without it."""
    three, five = ({"members": {f"m{number}": "" for number in range(count)}} for count in (3, 5))
    provider = ReadyProvider()
    assert not provider.check({}, five).failures
    assert not provider.check(three, {**three, "size": 6}).failures
    assert not provider.check(three, five).failures
    (failure,) = provider.check(five, three).failures
    assert "fleetcaptain:members 5" in failure.reason


def test_no_member_gets_another_address() -> None:
    """Not even if all else is allowed: the same names at other addresses are another etcd."""
    moved = {**MEMBERS, "m2": "10.72.1.11"}
    (failure,) = ReadyProvider().check({"members": MEMBERS}, {"members": moved}).failures
    assert failure.reason.startswith("m2 would move from 10.71.1.11 to 10.72.1.11. ")


def test_a_member_is_replaced_while_all_others_are_healthy() -> None:
    """It is not asked itself: it may be the one that is broken."""
    asked: list[tuple[str, list[str]]] = []

    def run(host: str, argv: list[str]) -> int:
        asked.append((host, argv))
        return 0

    refuse_second_loss("m2", MEMBERS, run)
    assert asked == [(MEMBERS["m1"], HEALTH), (MEMBERS["m3"], HEALTH)]


def test_no_second_member_is_taken_away() -> None:
    """Neither when another one is sick nor when it does not answer; all of them are named."""

    def run(host: str, _argv: list[str]) -> int:
        if host == MEMBERS["m1"]:
            raise ClusterUnreachable("does not answer")
        return 22

    with pytest.raises(ClusterRefused) as raised:
        refuse_second_loss("m2", MEMBERS, run)
    assert "m1 (10.71.0.11): does not answer" in raised.value.problems
    assert "m3 (10.71.2.11): its etcd is not healthy" in raised.value.problems
