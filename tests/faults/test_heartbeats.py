"""Machines that fall silent leave discovery soon, those that do not stay in it, and an agent that ends harms no one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.stack import Stack
from tests.faults.etcd_view import Beats, of_machine, registered, since, spread
from tests.faults.machine_faults import (
    Fault,
    alive,
    machine_id,
    machines,
    partitioned,
    paused,
    run_on,
    settled,
    until,
    without_etcd,
)

_AGENT = "behavioral-agent.service"
# More than an agent needs until it removes registrations of others again.
_STEADY_BEATS = 7


# m1 is the machine where we come in.
@pytest.mark.parametrize(("name", "fault"), [("m3", paused), ("m1", partitioned)])
def test_a_silent_machine_is_taken_out_of_discovery_by_the_others(stack: Stack, name: str, fault: Fault) -> None:
    """They remove its registrations and no other one; when it is back, all is as it was. How much sooner than fleet
    gives it up they do so, `make bench` measures."""
    cluster, there = stack.cluster(), machines(stack)
    victim, witness = there[name], there["m2"]
    lost_id = machine_id(victim)
    spread(stack)
    before, times, began = registered(witness), since(witness), run_on(witness, "date", "+@%s").strip()
    others = before.keys() - of_machine(before, lost_id)
    assert others
    assert others != before.keys()
    rest = [machine for machine in there.values() if machine != victim]
    with fault(victim):
        gone = until(lambda: not of_machine(registered(witness), lost_id), "no registration names it")
        found = since(witness)
        assert {unit: found.get(unit) for unit in others} == {unit: times[unit] for unit in others}
        reason = f"no heartbeat of its machine {lost_id}"
        until(lambda: any(reason in _agents_log(machine, began) for machine in rest), "an agent removed them")
    until(lambda: alive(cluster) == 3 and settled(cluster), "all is registered where it runs")
    print(f"{fault.__name__} {name}: out of discovery after {gone:.1f} s")
    stack.up()
    stack.rests()


def test_an_agent_that_is_killed_again_and_again_harms_nothing(stack: Stack) -> None:
    """Its unit brings it back before others miss its heartbeat: every registration stays the same one."""
    there = machines(stack)
    before = since(there["m1"])
    for _ in range(12):
        run_on(there["m2"], "systemctl", "kill", "--signal=SIGKILL", _AGENT)
        time.sleep(1.7)  # each time at another point of its loop
        assert since(there["m1"]) == before
    run_on(there["m2"], "systemctl", "is-active", _AGENT)


def _agents_log(machine: Any, began: str) -> str:
    return run_on(machine, "journalctl", "-t", "fleetcaptain-agent", "--since", began)


def test_all_that_runs_is_registered_soon_after_an_outage_of_etcd(stack: Stack) -> None:
    """All heartbeats stand still without a quorum, but the agents wait until their own are steady, and take no machine
    for silent. fleet may, and then moves its units."""
    there = machines(stack)
    began = run_on(there["m1"], "date", "+@%s").strip()
    with without_etcd(stack, ("m2", "m3")):
        until(
            lambda: all("no heartbeat: etcd answered" in _agents_log(machine, began) for machine in there.values()),
            "every agent misses etcd",
        )
        time.sleep(30)  # the fault itself
    beats = Beats(there["m1"])
    until(lambda: beats.least() >= _STEADY_BEATS, "the agents are steady again")
    for machine in there.values():
        assert "no heartbeat of its machine" not in _agents_log(machine, began)
    cluster = stack.cluster()
    until(lambda: settled(cluster), "all is registered where it runs")
