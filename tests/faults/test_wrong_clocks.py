"""A wall clock that is hours wrong on one machine. etcd computes by it when a key expires."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.stack import Stack
from tests.faults.etcd_view import Beats, of_machine, registered, since, spread
from tests.faults.machine_faults import alive, leader, machine_id, machines, settled, until
from tests.faults.wrong_clock import wrong_clock

_HOURS = 5 * 3600
# etcd's keys end so much earlier. fleet's own, which live for 30 s and are renewed every 15 s, stay.
_EARLY_SEC = 12
# In more time than the agents wait before they take a machine for silent.
_BEATS = 7


def _roles(stack: Stack) -> dict[str, Any]:
    """The containers of etcd's leader, of a member that follows it and has units, and of another one to look from."""
    there = machines(stack)
    leading = there.pop(leader(stack))
    entries = registered(leading)
    witness, follower = sorted(there.values(), key=lambda machine: len(of_machine(entries, machine_id(machine))))
    return {"leader": leading, "follower": follower, "witness": witness}


@pytest.mark.parametrize(("wrong", "seconds"), [("follower", _HOURS), ("leader", _EARLY_SEC)])
def test_a_wrong_clock_neither_removes_nor_keeps_a_registration(stack: Stack, wrong: str, seconds: int) -> None:
    """While all machines live, no registration changes. The heartbeat of one that died stands still, whether etcd would
    keep it for hours or not."""
    spread(stack)
    roles, cluster = _roles(stack), stack.cluster()
    witness, victim = roles["witness"], roles["follower"]
    before, times, victim_id = registered(witness), since(witness), machine_id(victim)
    others = before.keys() - of_machine(before, victim_id)
    assert others != before.keys()
    beats = Beats(witness)

    def lasts() -> bool:
        assert since(witness) == times
        return beats.least() >= _BEATS

    try:
        with wrong_clock(roles[wrong], seconds):
            until(lasts, "every machine has gone on for long enough")
            victim.kill()
            until(lambda: not of_machine(registered(witness), victim_id), "no registration names it")
            assert {unit: since(witness).get(unit) for unit in others} == {unit: times[unit] for unit in others}
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
