"""Machines that fall silent leave discovery soon, those that do not stay in it, and an agent that ends harms no one."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

import pytest

from fleetcaptain.agent.installation import offer_program
from fleetcaptain.agent.program import agent_program, program_hash
from fleetcaptain.discovery.keys import agent_key
from fleetcaptain.units.unit_file import UnitFile
from tests.e2e.stack import Stack
from tests.faults.etcd_view import heartbeats, of_machine, registered, since, spread
from tests.faults.machine_faults import (
    Fault,
    alive,
    killed,
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


def _agents(machine: Any) -> set[str]:
    """The SHA-256 of each program that has a heartbeat."""
    return {heartbeat.agent for heartbeat in heartbeats(machine).values()}


@pytest.mark.parametrize("fault", [killed, paused, partitioned])
@pytest.mark.parametrize("name", ["m1", "m3"], ids=["where we come in", "another"])
def test_a_silent_machine_is_out_of_discovery_before_fleet_gives_it_up(stack: Stack, fault: Fault, name: str) -> None:
    """The others remove its registrations and no other one; when it is back, all is as it was."""
    cluster, there = stack.cluster(), machines(stack)
    victim, witness = there[name], there["m2"]
    lost_id = machine_id(victim)
    spread(stack)
    before = registered(witness)
    others = before.keys() - of_machine(before, lost_id)
    assert others
    assert others != before.keys()
    with fault(victim):
        gone = until(lambda: registered(witness).keys() == others, "its registrations are gone, and no other")
        assert lost_id[:8] in stack.fleetctl("list-machines", machine="m2")
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


def test_all_that_runs_is_registered_soon_after_an_outage_of_etcd(stack: Stack) -> None:
    """All heartbeats end without a quorum, but the agents wait until their own are steady: no registration of a unit
    that runs is removed."""
    there = machines(stack)
    before = registered(there["m1"])
    with without_etcd(stack, ("m2", "m3")):
        time.sleep(30)  # the fault itself
    missing: dict[str, float] = {}

    def whole() -> bool:
        found = registered(there["m1"])
        for unit in before.keys() - found.keys():
            missing[unit] = missing.get(unit, 0) + 0.1
        return {entry["machine"] for entry in before.values()} <= heartbeats(there["m1"]).keys()

    until(whole, "every machine has a heartbeat again")
    print(f"missing for a while: {missing}")
    cluster = stack.cluster()
    until(lambda: settled(cluster), "all is registered where it runs")


def test_an_agent_starts_without_etcd_and_goes_on_where_it_was(stack: Stack) -> None:
    """It has its own copy of the program."""
    machine = machines(stack)["m3"]
    run_on(machine, "systemctl", "stop", "etcd.service")
    try:
        run_on(machine, "rm", "/run/fleetcaptain/behavioral/agent")
        run_on(machine, "systemctl", "restart", _AGENT)
        run_on(machine, "systemctl", "is-active", _AGENT)
        run_on(machine, "test", "-f", "/run/fleetcaptain/behavioral/agent")
    finally:
        run_on(machine, "systemctl", "start", "etcd.service")
    cluster = stack.cluster()
    until(lambda: settled(cluster), "all is registered where it runs")


def test_a_changed_program_in_etcd_is_refused(stack: Stack) -> None:
    """It does not have the hash that the unit names: the program that is installed goes on."""
    machine = machines(stack)["m2"]
    stack.cluster().store.write(agent_key("behavioral", program_hash()), "ZWNobyBvd25lZAo=")
    run_on(machine, "rm", "-r", "/var/lib/fleetcaptain/behavioral")
    run_on(machine, "sh", "-c", "echo '# older' >>/run/fleetcaptain/behavioral/agent")
    run_on(machine, "systemctl", "restart", _AGENT)
    until(
        lambda: "was changed there" in run_on(machine, "journalctl", "-t", "fleetcaptain-agent", "-n", "9"),
        "it says so",
    )
    assert run_on(machine, "tail", "-n", "1", "/run/fleetcaptain/behavioral/agent") == "# older\n"
    run_on(machine, "systemctl", "is-active", _AGENT)
    offer_program(stack.cluster().store, "behavioral")
    until(lambda: program_hash() in run_on(machine, "sha256sum", "/run/fleetcaptain/behavioral/agent"), "it is mended")


def test_another_version_of_the_agent_restarts_no_unit_of_the_app(stack: Stack) -> None:
    """Neither when it comes nor when it goes."""
    cluster, there = stack.cluster(), machines(stack)
    before = since(there["m1"])
    older = agent_program() + "# older\n"
    digest = hashlib.sha256(older.encode()).hexdigest()
    cluster.store.write(agent_key("behavioral", digest), base64.b64encode(older.encode()).decode())
    text = cluster.snapshot().units[_AGENT].file.text
    cluster.put(_AGENT, UnitFile.parse(text.replace(program_hash(), digest)))
    until(lambda: _agents(there["m1"]) == {digest}, "the older agent runs everywhere")
    assert stack.up().counts["updated"] == 1
    until(lambda: _agents(there["m1"]) == {program_hash()}, "the present one runs everywhere")
    assert since(there["m1"]) == before
