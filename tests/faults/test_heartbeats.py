"""Machines that fall silent leave discovery soon, those that do not stay in it, and an agent that ends harms no one."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fleetcaptain.agent.program import agent_program, program_hash
from fleetcaptain.discovery.keys import agent_key
from fleetcaptain.units.unit_file import UnitFile
from tests.e2e.stack import Stack
from tests.faults.machine_faults import alive, machines, run_on, settled, until, without_etcd

_APP = "fleetcaptain/behavioral"
_AGENT = "behavioral-agent.service"
Fault = Callable[[Any], Any]


@contextmanager
def killed(machine: Any) -> Iterator[None]:
    """The machine dies, and boots when the block ends."""
    machine.kill()
    yield
    machine.start()


@contextmanager
def paused(machine: Any) -> Iterator[None]:
    """The machine hangs until the block ends."""
    machine.pause()
    yield
    machine.unpause()


@contextmanager
def partitioned(machine: Any) -> Iterator[None]:
    """No other machine reaches this one until the block ends; what runs on it goes on."""
    rules = [("INPUT", "-i"), ("OUTPUT", "-o")]
    for chain, interface in rules:
        run_on(machine, "iptables", "-w", "-I", chain, interface, "eth0", "-j", "DROP")
    yield
    for chain, interface in rules:
        run_on(machine, "iptables", "-w", "-D", chain, interface, "eth0", "-j", "DROP")


def _read(machine: Any, path: str) -> dict[str, Any]:
    """What etcd on *machine* answers. docker sometimes loses the output of a short command on a busy computer."""
    answer = ""
    while not answer:
        answer = run_on(machine, "curl", "-s", f"http://127.0.0.1:2379/v2/keys/{path}")
    return dict(json.loads(answer))


def _registered(machine: Any) -> dict[str, dict[str, Any]]:
    """Unit -> its registration, as *machine* reads it."""
    answer = _read(machine, f"{_APP}/services?recursive=true")
    nodes = [leaf for service in answer["node"].get("nodes", ()) for leaf in service.get("nodes", ())]
    return {leaf["key"].rpartition("/")[2]: json.loads(leaf["value"]) for leaf in nodes}


def _machine_ids(machine: Any, path: str) -> set[str]:
    """The ids of the machines below *path*, as *machine* reads it."""
    return {node["key"].rpartition("/")[2] for node in _read(machine, path)["node"].get("nodes", ())}


def _spread(stack: Stack) -> None:
    """Let fleet choose machines again for half of the servers: it takes those with the fewest units."""
    for number in (3, 4):
        stack.fleetctl("destroy", f"app_server@{number}.service", machine="m2")
    stack.up()


def _agents(machine: Any) -> set[str]:
    """The SHA-256 of each program that has a heartbeat."""
    nodes = _read(machine, f"{_APP}/machines")["node"]["nodes"]
    return {json.loads(node["value"])["agent"] for node in nodes}


@pytest.mark.parametrize("fault", [killed, paused, partitioned])
@pytest.mark.parametrize("name", ["m1", "m3"], ids=["where we come in", "another"])
def test_a_silent_machine_is_out_of_discovery_before_fleet_gives_it_up(stack: Stack, fault: Fault, name: str) -> None:
    """The others remove its registrations and no other one; when it is back, all is as it was."""
    cluster, there = stack.cluster(), machines(stack)
    victim, witness = there[name], there["m2"]
    lost_id = run_on(victim, "cat", "/etc/machine-id").strip()
    _spread(stack)
    until(lambda: settled(cluster), "all is registered where it runs")
    before = _registered(witness)
    others = {unit for unit, entry in before.items() if entry["machine"] != lost_id}
    assert others
    assert others != before.keys()
    with fault(victim):
        gone = until(lambda: _registered(witness).keys() == others, "its registrations are gone, and no other")
        assert lost_id[:8] in stack.fleetctl("list-machines", machine="m2")
    until(lambda: alive(cluster) == 3 and settled(cluster), "all is registered where it runs")
    print(f"{fault.__name__} {name}: out of discovery after {gone:.1f} s")
    stack.up()
    stack.rests()


def test_an_agent_that_is_killed_again_and_again_harms_nothing(stack: Stack) -> None:
    """Its unit brings it back before others miss its heartbeat: every registration stays the same one."""
    there = machines(stack)
    before = {unit: entry["since"] for unit, entry in _registered(there["m1"]).items()}
    for _ in range(12):
        run_on(there["m2"], "systemctl", "kill", "--signal=SIGKILL", _AGENT)
        time.sleep(1.7)  # each time at another point of its loop
        assert {unit: entry["since"] for unit, entry in _registered(there["m1"]).items()} == before
    run_on(there["m2"], "systemctl", "is-active", _AGENT)


def test_all_that_runs_is_registered_soon_after_an_outage_of_etcd(stack: Stack) -> None:
    """All heartbeats end without a quorum, but the agents wait until their own are steady: no registration of a unit
    that runs is removed."""
    there = machines(stack)
    before = _registered(there["m1"])
    with without_etcd(stack, ("m2", "m3")):
        time.sleep(30)  # the fault itself
    missing: dict[str, float] = {}

    def whole() -> bool:
        found = _registered(there["m1"])
        for unit in before.keys() - found.keys():
            missing[unit] = missing.get(unit, 0) + 0.1
        return {entry["machine"] for entry in before.values()} <= _machine_ids(there["m1"], f"{_APP}/machines")

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
    assert stack.up().counts["updated"] == 1
    until(lambda: program_hash() in run_on(machine, "sha256sum", "/run/fleetcaptain/behavioral/agent"), "it is mended")


def test_another_version_of_the_agent_restarts_no_unit_of_the_app(stack: Stack) -> None:
    """Neither when it comes nor when it goes."""
    cluster, there = stack.cluster(), machines(stack)
    before = {unit: entry["since"] for unit, entry in _registered(there["m1"]).items()}
    older = agent_program() + "# older\n"
    digest = hashlib.sha256(older.encode()).hexdigest()
    cluster.store.write(agent_key("behavioral", digest), base64.b64encode(older.encode()).decode())
    text = cluster.snapshot().units[_AGENT].file.text
    cluster.put(_AGENT, UnitFile.parse(text.replace(program_hash(), digest)))
    until(lambda: _agents(there["m1"]) == {digest}, "the older agent runs everywhere")
    assert stack.up().counts["updated"] == 1
    until(lambda: _agents(there["m1"]) == {program_hash()}, "the present one runs everywhere")
    assert {unit: entry["since"] for unit, entry in _registered(there["m1"]).items()} == before
