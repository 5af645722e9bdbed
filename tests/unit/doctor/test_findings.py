"""From what machines and tools say of themselves to findings."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.discovery.keys import machines_dir
from fleetcaptain.doctor.examine import examine
from fleetcaptain.doctor.findings import ClusterFacts, ToolFacts, findings_of, tool_findings
from fleetcaptain.doctor.machine_facts import PROBE, Disk, MachineFacts, facts_in
from tests.fakes.fake_cluster import STACK, FakeCluster

NOW = 1_800_000_000.0
FINE = MachineFacts("10.0.0.1", 0, "3.5.33", True, "200", "1.0.0", "28.5.2", (Disk("docker", "/", 50.0, 20),))


def what(machine: MachineFacts | None = FINE, *others: MachineFacts, **facts: Any) -> list[str]:
    """The findings of a cluster with *machine*, which is as it has to be but for *facts*."""
    machines = {"10.0.0.1": machine, **{one.address: one for one in others}}
    present = {"in_fleet": frozenset(machines), "agents": dict.fromkeys(machines, "abc"), "program": "abc", **facts}
    found = findings_of(ClusterFacts(machines, app="shop", **present))
    assert all(one.cure.endswith(".") and one.where in (*machines, "cluster") for one in found)
    return [one.what for one in found]


def test_a_machine_without_a_problem_has_no_finding() -> None:
    """Nor have two of the same versions."""
    assert what() == []
    assert what(FINE, replace(FINE, address="10.0.0.2")) == []


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        (None, "it does not answer over SSH"),
        (
            replace(FINE, clock_error_sec=3600),
            "its clock is 3600 s ahead of this computer's; an agent with a wrong clock opens and closes no windows",
        ),
        (replace(FINE, clock_error_sec=30), "its clock is 30 s ahead of this computer's"),
        (replace(FINE, clock_error_sec=-7), "its clock is 7 s behind this computer's"),
        (replace(FINE, etcd=""), "etcd does not answer at 127.0.0.1:2379"),
        (replace(FINE, is_healthy=False), "its etcd is not healthy: it has no quorum, or no leader"),
        (replace(FINE, keys_status="404"), "etcd's v2 API does not answer (status 404)"),
        (replace(FINE, fleet=""), "fleet does not answer at /run/fleet.sock"),
        (replace(FINE, docker=""), "docker does not answer"),
        (replace(FINE, lacks_init=True), "docker has no docker-init, which every container is started with (--init)"),
        (replace(FINE, disks=(Disk("etcd", "/e", 3, 95),)), "the disk at /e is 95 % full, 3.0 GiB are free"),
        (replace(FINE, disks=(Disk("etcd", "/e", 0.5, 50),)), "the disk at /e is 50 % full, 0.5 GiB are free"),
    ],
)
def test_each_problem_is_one_finding(machine: MachineFacts | None, found: str) -> None:
    """With its cure."""
    assert what(machine) == [found]


def test_a_small_error_of_a_clock_is_none() -> None:
    """And a guarded v2 API is one that answers."""
    assert what(replace(FINE, clock_error_sec=4, keys_status="401")) == []


def test_docker_and_etcd_on_one_disk_are_one_finding() -> None:
    """A disk is named once."""
    disks = tuple(Disk(user, "/", 0.1, 99) for user in ("docker", "etcd", "system"))
    assert len(what(replace(FINE, disks=disks))) == 1


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"in_fleet": frozenset()}, ["fleet does not see it"]),
        ({"agents": {}}, ["the machine agent sends no heartbeat: its instances are out of discovery"]),
        ({"agents": {"10.0.0.1": "old"}}, ["the machine agent runs the program old, not abc"]),
        ({"agents": {}, "program": ""}, []),
    ],
)
def test_fleet_and_the_agent_are_asked_too(facts: dict[str, Any], found: list[str]) -> None:
    """Before the first deployment there is no agent."""
    assert what(**facts) == found


def test_a_silent_machine_that_fleet_lost_says_so() -> None:
    """It is down, and not only its sshd."""
    assert what(None, in_fleet=frozenset()) == ["it does not answer over SSH, and fleet does not see it"]


def test_machines_of_different_versions_are_named() -> None:
    """Once for each program."""
    other = replace(FINE, address="10.0.0.2", etcd="3.4.0")
    assert what(FINE, other) == ["the machines run different versions of etcd: 3.4.0 on 10.0.0.2, 3.5.33 on 10.0.0.1"]


@pytest.mark.parametrize(
    ("version", "found"), [("", ["x is not installed, or does not start"]), ("3.9.1", ["x 3.9.1 is too old"])]
)
def test_a_tool_that_is_missing_or_old_is_a_finding(version: str, found: list[str]) -> None:
    """Newer ones are none."""
    assert [one.what for one in tool_findings([ToolFacts("x", version, (3, 10), "all need it")])] == found
    assert tool_findings([ToolFacts("x", "3.10.0", (3, 10), "all need it")]) == []


def test_an_answer_becomes_facts() -> None:
    """What is not of its form is left out, and so is every other line."""
    lines = [
        "Welcome!",
        f"fleetcaptain: clock={NOW:.0f}",
        "fleetcaptain: etcd_date=Fri, 15 Jan 2027 09:00:00 GMT",
        "fleetcaptain: etcd=3.5.33",
        "fleetcaptain: docker=28\x1b[31m",
        "fleetcaptain: health=true",
        "fleetcaptain: disk=docker /var 1048576 42%",
        "fleetcaptain: disk=etcd",
    ]
    facts = facts_in("10.0.0.1", "\n".join(lines), NOW, NOW + 1)
    assert facts is not None
    assert (facts.etcd, facts.docker, facts.is_healthy) == ("3.5.33", "", True)
    assert facts.disks == (Disk("docker", "/var", 1.0, 42),)
    assert facts.clock_error_sec == 3600 - 1
    assert facts_in("10.0.0.1", "command not found", NOW, NOW) is None


@pytest.mark.parametrize(("clock", "error"), [(NOW, 0), (NOW - 1, 0), (NOW + 10, 0), (NOW + 30, 20), (NOW - 11, -10)])
def test_the_time_of_the_question_is_no_error(clock: float, error: float) -> None:
    """It took ten seconds; and the clock says whole seconds."""
    facts = facts_in("10.0.0.1", f"fleetcaptain: clock={clock:.0f}", NOW, NOW + 10)
    assert facts is not None
    assert facts.clock_error_sec == error


def test_the_script_always_says_the_clock(tmp_path: Path) -> None:
    """On a machine that has nothing else."""
    for name in ("date", "df", "awk", "sed", "tr"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(
        ["/bin/sh", "-c", PROBE], capture_output=True, text=True, env={"PATH": str(tmp_path)}, check=False, timeout=120
    )
    facts = facts_in("10.0.0.1", done.stdout, 0, 4e9)
    assert facts is not None
    assert (facts.etcd, facts.fleet, facts.docker, facts.is_healthy) == ("", "", "", False)
    assert facts.disks[-1].user == "system"


@pytest.mark.parametrize(("installed", "lacks"), [([], True), (["docker-init"], False)])
def test_the_script_says_whether_docker_has_its_init(tmp_path: Path, installed: list[str], lacks: bool) -> None:
    """docker names the program; a docker that does not answer is a finding of its own."""
    for name in ("date", "df", "awk", "sed", "tr", "timeout"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    for name in ("docker", *installed):
        program = tmp_path / name
        program.write_text('#!/bin/sh\n[ "$1" != info ] || echo docker-init\n')
        program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", PROBE], capture_output=True, text=True, env={"PATH": str(tmp_path)}, check=False, timeout=120
    )
    facts = facts_in("10.0.0.1", done.stdout, 0, 4e9)
    assert facts is not None
    assert facts.lacks_init is lacks


def test_heartbeats_and_the_deployed_program_are_read() -> None:
    """Of machines that fleet has, and of those that the connection names."""
    cluster = FakeCluster()
    unit = agent_unit("shop", STACK)
    cluster.launch("shop-agent.service", unit.text)
    cluster.etcd.put(f"{machines_dir('shop')}/10.0.0.1", json.dumps({"agent": "abc", "machine": "10.0.0.1"}))
    cluster.etcd.put(f"{machines_dir('shop')}/10.0.0.2", "[1]")
    facts = examine(cluster, cluster.snapshot(), ["10.0.0.9"])
    assert facts.agents == {"10.0.0.1": "abc"}
    assert facts.program in unit.text
    assert dict(facts.machines) == dict.fromkeys(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"])
    assert facts.unit == "shop-agent.service"


def test_a_cluster_that_tells_nothing_is_examined_by_its_machines() -> None:
    """Of fleet and the agents nothing is known, so nothing is said of them."""
    assert what(program="", in_fleet=frozenset(), agents={}, silence="etcd has no quorum") == ["etcd has no quorum"]
    assert what(None, in_fleet=frozenset(), silence="etcd has no quorum") == [
        "it does not answer over SSH",
        "etcd has no quorum",
    ]
    facts = examine(FakeCluster(), "etcd has no quorum", ["10.0.0.1"])
    assert dict(facts.machines) == {"10.0.0.1": None}
