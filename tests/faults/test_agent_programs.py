"""Versions of the agent's program: how it comes to a machine that has none or an old one, and two side by side."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

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
    machine_of,
    machines,
    paused,
    run_on,
    settled,
    until,
)
from tests.faults.temporary_change import Change

_AGENT = "behavioral-agent.service"
_RUN, _KEPT = "/run/fleetcaptain/behavioral", "/var/lib/fleetcaptain/behavioral"
_TASK = "migration@1.service"


def _other_program(name: str) -> tuple[str, str]:
    """A program that differs from the present one: its base64, and its SHA-256."""
    text = f"{agent_program()}# {name}\n".encode()
    return base64.b64encode(text).decode(), hashlib.sha256(text).hexdigest()


def _name_program(stack: Stack, digest: str) -> None:
    """Have the agent's unit name the program with this *digest*, on all machines."""
    cluster = stack.cluster()
    text = cluster.snapshot().units[_AGENT].file.text
    cluster.put(_AGENT, UnitFile.parse(text.replace(program_hash(), digest)))


def _agents(machine: Any) -> dict[str, str]:
    """Machine id -> the SHA-256 of the program that has its heartbeat."""
    return {id_: heartbeat.agent for id_, heartbeat in heartbeats(machine).items()}


def _was_refused(machine: Any) -> bool:
    """Whether the agent of *machine* runs, but not the program that its unit names."""
    log = run_on(machine, "journalctl", "-t", "fleetcaptain-agent", "-n", "2")
    return "is not in etcd, or was changed there" in log and f"agent {program_hash()}" in log


def _has_none(machine: Any) -> None:
    """Stop the agent of *machine*, and remove its program and the copy. What it knows of other units stays: without
    that it would not renew what they registered."""
    run_on(machine, "systemctl", "stop", _AGENT)
    run_on(machine, "rm", "-r", f"{_RUN}/agent", _KEPT)


def test_a_unit_waits_for_a_program_that_is_missing(stack: Stack) -> None:
    """Its start starts the agent's unit, which installs the program first. A task depends on that: systemd does not try
    it again."""
    task = 'Service("migration", start="/bin/true", service={"Type": "oneshot"}),'
    with stack.edited("Fleetfile.py", {"services=[": f"services=[{task}"}):
        stack.up()
        for unit in ("app_server@1.service", _TASK):
            machine = machine_of(stack, unit)
            _has_none(machine)
            run_on(machine, "systemctl", "restart", unit)
            assert run_on(machine, "systemctl", "is-active", unit) == "active\n"
            assert run_on(machine, "systemctl", "show", "-P", "NRestarts", unit) == "0\n"
        cluster = stack.cluster()
        until(lambda: settled(cluster), "all is registered where it runs")
    stack.must("up", "--yes", "--skip-preview", "--config", "fleetcaptain:strays=remove")
    stack.must("config", "rm", "fleetcaptain:strays")
    stack.up()
    stack.rests()


def test_a_unit_comes_back_when_the_agent_comes_later(stack: Stack) -> None:
    """Without the agent's unit on the machine its start fails. fleet brings that unit, and `Restart=` the other one."""
    unit, cluster = "app_server@1.service", stack.cluster()
    machine = machine_of(stack, unit)
    run_on(machine, "systemctl", "kill", "--signal=SIGSTOP", "fleet.service")
    try:
        _has_none(machine)
        run_on(machine, "rm", f"/run/fleet/units/{_AGENT}")
        run_on(machine, "systemctl", "daemon-reload")
        code, _ = machine.exec_run(["systemctl", "restart", unit])
        assert code != 0
    finally:
        run_on(machine, "systemctl", "kill", "--signal=SIGCONT", "fleet.service")
    until(lambda: machine.exec_run(["systemctl", "is-active", unit, _AGENT]).output == b"active\nactive\n", "both run")
    until(lambda: settled(cluster), "all is registered where it runs")
    stack.rests()


@pytest.mark.parametrize("fault", [killed, paused])
def test_a_machine_that_missed_changes_registers_nothing_old(stack: Stack, fault: Fault) -> None:
    """It boots with an old copy of the program, or goes on with all of its old files and with units that fleet has
    moved away. It installs the new program, and what fleet then places there is registered."""
    spread(stack)
    cluster, victim = stack.cluster(), machine_of(stack, "app_server@3.service")
    witness = next(machine for machine in machines(stack).values() if machine != victim)
    victim_id, before = machine_id(victim), registered(witness)
    servers = {unit for unit in before if unit.startswith("app_server@")}
    program, digest = _other_program("newer")
    cluster.store.write(agent_key("behavioral", digest), program)
    text = cluster.snapshot().units["app_server@1.service"].text
    newer = UnitFile.parse(re.sub(r"RestartSec=.*\n", Change(stack).line, text))

    def stale() -> set[str]:
        now = registered(witness)
        return {unit for unit in servers & now.keys() if now[unit]["content"] != newer.unit_hash}

    def back() -> bool:
        assert not stale()
        return alive(cluster) == 3 and settled(cluster) and list(_agents(witness).values()) == [digest] * 3

    with fault(victim):
        until(lambda: alive(cluster) == 2, "fleet sees that the machine is lost")
        # An `up` would wait for the machine, or start it. As there, the agent comes first.
        _name_program(stack, digest)
        until(lambda: list(_agents(witness).values()) == [digest] * 2, "the others have the new program")
        for unit in servers:
            cluster.put(unit, newer)
        until(lambda: registered(witness).keys() == before.keys() and not stale(), "the others have the new text")
    until(back, "the machine has the new program, and all is registered where it runs")
    for folder in (_RUN, _KEPT):
        assert digest in run_on(victim, "sha256sum", f"{folder}/agent")
    placed = UnitFile.parse(f"{newer.text}\n[X-Fleet]\nMachineID={victim_id}\n")
    cluster.put("app_server@4.service", placed)

    def there() -> bool:
        # The machine that has the unit may start the new text before fleet moves it.
        entry = registered(witness).get("app_server@4.service", {})
        return (entry.get("content"), entry.get("machine")) == (placed.unit_hash, victim_id)

    until(there, "it registers")
    stack.up()
    stack.rests()


@pytest.mark.parametrize("version", ["older", "newer"])
def test_agents_of_two_versions_run_side_by_side(stack: Stack, version: str) -> None:
    """One machine goes on with the older program, which is its last good one. Whichever has the *version* dies, the
    others remove its registrations; nothing else changes, before that either."""
    spread(stack)
    cluster, dies = stack.cluster(), machine_of(stack, "app_server@3.service")
    witness, other = (machine for machine in machines(stack).values() if machine != dies)
    older, newer = (dies, (witness, other)) if version == "older" else (other, (witness, dies))
    before, times, lost_id = registered(witness), since(witness), machine_id(dies)
    others = before.keys() - of_machine(before, lost_id)
    assert others != before.keys()
    _, digest = _other_program("newer")
    for machine in newer:
        run_on(
            machine,
            "sh",
            "-c",
            f"{{ cat {_RUN}/agent; echo '# newer'; }} >{_KEPT}/.newer; mv {_KEPT}/.newer {_KEPT}/agent",
        )
    _name_program(stack, digest)
    expected = {**{machine_id(machine): digest for machine in newer}, machine_id(older): program_hash()}
    until(lambda: _was_refused(older) and _agents(witness) == expected, "two of them have the newer program")
    assert since(witness) == times
    with killed(dies):
        until(lambda: registered(witness).keys() == others, "its registrations are gone, and no other")
        assert since(witness) == {unit: times[unit] for unit in others}
    until(lambda: alive(cluster) == 3 and settled(cluster), "all is registered where it runs")
    until(lambda: _agents(witness) == expected, "each has the program that it had")
    stack.up()
    until(lambda: set(_agents(witness).values()) == {program_hash()}, "the present program runs everywhere")
    stack.rests()


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
    stack.up()
    until(lambda: program_hash() in run_on(machine, "sha256sum", "/run/fleetcaptain/behavioral/agent"), "it is mended")


def test_another_version_of_the_agent_restarts_no_unit_of_the_app(stack: Stack) -> None:
    """Neither when it comes nor when it goes."""
    cluster, there = stack.cluster(), machines(stack)
    before = since(there["m1"])
    program, digest = _other_program("older")
    cluster.store.write(agent_key("behavioral", digest), program)
    _name_program(stack, digest)
    until(lambda: set(_agents(there["m1"]).values()) == {digest}, "the older agent runs everywhere")
    assert stack.up().counts["updated"] == 1
    until(lambda: set(_agents(there["m1"]).values()) == {program_hash()}, "the present one runs everywhere")
    assert since(there["m1"]) == before
