"""Asks all machines at once, and the programs of this computer. Each question has a time limit."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from fleetcaptain.discovery.keys import machines_dir
from fleetcaptain.doctor.findings import ClusterFacts, ToolFacts
from fleetcaptain.doctor.flatcar_facts import FLATCAR_PROBE, FlatcarFacts, flatcar_facts_in
from fleetcaptain.doctor.machine_facts import PROBE, MachineFacts, facts_in
from fleetcaptain.fleet.process_output import run
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.units.agent_calls import agent_name
from fleetcaptain.units.mark import SECTION
from fleetcaptain.untrusted import WORD, json_object, readable

__all__ = ["examine", "examine_flatcar", "local_tools"]

_PROBE_SEC = 20.0
_TOOL_SEC = 10.0
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_TOOLS = (
    ("ssh", ("ssh", "-V"), (7, 6), "captain and pulumi reach the machines with it"),
    ("docker", ("docker", "version", "--format", "{{.Client.Version}}"), (20, 10), "images are built with it"),
    ("pulumi", ("pulumi", "version"), (3, 258), "deployments run it"),
)


def examine(
    cluster: Cluster,
    snapshot: Snapshot | str,
    hosts: Collection[str],
    wall_clock: Callable[[], float] = time.time,
) -> ClusterFacts:
    """The facts of *cluster*: of the machines in *snapshot*, and of those at the addresses *hosts*, all at once.
    Instead of a snapshot it may be the reason why there is none."""
    there = snapshot if isinstance(snapshot, Snapshot) else Snapshot.of((), (), (), ())
    in_fleet = frozenset(machine.ip for machine in there.machines.values() if machine.ip)
    addresses = sorted({*in_fleet, *hosts})

    def ask(address: str) -> MachineFacts | None:
        began = wall_clock()
        output = cluster.run(address, ["sh", "-c", PROBE], _PROBE_SEC)
        return facts_in(address, output or "", began, wall_clock())

    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        machines = dict(zip(addresses, pool.map(ask, addresses), strict=True))
    if isinstance(snapshot, str):
        return ClusterFacts(machines, frozenset(), {}, "", cluster.app, snapshot)
    program = _program(agent_name(cluster.app), there)
    return ClusterFacts(machines, in_fleet, _agents(cluster, there), program, cluster.app)


def examine_flatcar(cluster: Cluster, addresses: Collection[str]) -> dict[str, FlatcarFacts | None]:
    """Address -> what the machine says of its Flatcar and its EC2, None for one that does not answer; all at once."""

    def ask(address: str) -> FlatcarFacts | None:
        return flatcar_facts_in(cluster.run(address, ["sh", "-c", FLATCAR_PROBE], _PROBE_SEC) or "")

    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        return dict(zip(addresses, pool.map(ask, addresses), strict=True))


def local_tools(names: Iterable[str]) -> tuple[ToolFacts, ...]:
    """The programs *names* (ssh, docker, pulumi) of this computer."""
    return tuple(
        ToolFacts(name, _version(argv), least, needs) for name, argv, least, needs in _TOOLS if name in set(names)
    )


def _version(argv: tuple[str, ...]) -> str:
    try:
        done = run(argv, _TOOL_SEC)
    except (OSError, subprocess.SubprocessError):
        return ""
    found = _VERSION.search(done.output + done.errors)  # ssh prints its version as an error
    return found[0] if found and done.code == 0 else ""


def _agents(cluster: Cluster, snapshot: Snapshot) -> dict[str, str]:
    """The address of each machine with a heartbeat -> the program of its agent."""
    found = {}
    for node in cluster.store.below(machines_dir(cluster.app)):
        machine = snapshot.machines.get(node.key.rpartition("/")[2])
        program = readable(lambda text: json_object(text).text("agent", WORD), node.value)
        if machine is not None and program is not None:
            found[machine.ip] = program
    return found


def _program(unit: str, snapshot: Snapshot) -> str:
    options = snapshot.units[unit].file.options if unit in snapshot.units else ()
    values = [option.value for option in options if (option.section, option.name) == (SECTION, "Program")]
    return values[-1] if values else ""
