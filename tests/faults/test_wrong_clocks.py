"""A wall clock that is hours wrong on one machine. etcd computes by it when a key expires."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.e2e.stack import Stack
from tests.faults.etcd_view import heartbeats, of_machine, registered, since, spread
from tests.faults.machine_faults import alive, leader, machine_id, machines, settled, until
from tests.faults.wrong_clock import wrong_clock

_HOURS = 5 * 3600
# More than the agents wait before they take a machine for silent.
_BEATS = 7


def _roles(stack: Stack) -> dict[str, Any]:
    """The containers of etcd's leader, of a member that follows it and has units, and of another one to look from."""
    there = machines(stack)
    leading = there.pop(leader(stack))
    entries = registered(leading)
    witness, follower = sorted(there.values(), key=lambda machine: len(of_machine(entries, machine_id(machine))))
    return {"leader": leading, "follower": follower, "witness": witness}


def _beats(witness: Any, seen: dict[str, set[int]]) -> int:
    """How often the heartbeat of each machine has changed; *seen* is for the next call."""
    for machine, heartbeat in heartbeats(witness).items():
        seen[machine].add(heartbeat.index)
    return min(map(len, seen.values()))


@pytest.mark.parametrize(("wrong", "seconds"), [("follower", _HOURS), ("leader", -_HOURS)])
def test_a_clock_that_keeps_keys_for_hours_keeps_no_dead_machine(stack: Stack, wrong: str, seconds: int) -> None:
    """etcd goes on to show the heartbeat of a machine that died, but it stands still. While all machines live, no
    registration changes."""
    spread(stack)
    roles, cluster = _roles(stack), stack.cluster()
    witness, victim = roles["witness"], roles["follower"]
    before, times, victim_id = registered(witness), since(witness), machine_id(victim)
    others = before.keys() - of_machine(before, victim_id)
    assert others != before.keys()
    seen: dict[str, set[int]] = defaultdict(set)

    def lasts() -> bool:
        assert since(witness) == times
        return _beats(witness, seen) >= _BEATS

    try:
        with wrong_clock(roles[wrong], seconds):
            until(lasts, "every machine has gone on for long enough")
            victim.kill()
            until(lambda: registered(witness).keys() == others, "its registrations are gone, and no other")
            assert victim_id in heartbeats(witness)
    finally:
        victim.start()
    until(lambda: alive(cluster) == 3 and settled(cluster), "all is registered where it runs")


def test_a_clock_that_ends_keys_at_once_harms_no_other_machine(stack: Stack) -> None:
    """fleet takes the machine for lost, since etcd removes its keys there too, and moves its units. Registrations on
    other machines stay as they are, and when the clock is right, all is."""
    spread(stack)
    roles, cluster = _roles(stack), stack.cluster()
    witness, victim = roles["witness"], roles["follower"]
    before, times, victim_id = registered(witness), since(witness), machine_id(victim)
    others = before.keys() - of_machine(before, victim_id)
    assert others != before.keys()

    def moved() -> bool:
        entries = registered(witness)
        assert {unit: entries[unit]["since"] for unit in others} == {unit: times[unit] for unit in others}
        return entries.keys() == before.keys() and not of_machine(entries, victim_id)

    with wrong_clock(victim, -_HOURS):
        until(moved, "its units are registered elsewhere")
    until(lambda: alive(cluster) == 3 and settled(cluster), "all is registered where it runs")
    stack.up()
    stack.rests()
