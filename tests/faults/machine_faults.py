"""Faults of machines, injected for real: in the containers that are the cluster's machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.localcluster.docker_client import ROLE
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.units.agent_calls import agent_name
from tests import waits
from tests.e2e.stack import Stack

__all__ = [
    "Fault",
    "alive",
    "etcd_answer",
    "fleet_answers",
    "killed",
    "leader",
    "machine_id",
    "machine_of",
    "machines",
    "partitioned",
    "paused",
    "run_on",
    "settled",
    "unstoppable",
    "until",
    "without_etcd",
]

_LONGEST_SEC = 180.0
# Some questions are commands on a machine: asked more often, they would slow down what is waited for.
_PAUSE_SEC = 0.25

Fault = Callable[[Any], AbstractContextManager[None]]
"""A fault of one machine, given as its container, until the block ends."""


def machines(stack: Stack) -> dict[str, Any]:
    """Name -> the container of each machine."""
    return {name: container for name, container in stack.containers().items() if container.labels[ROLE] == "machine"}


def machine_of(stack: Stack, unit: str) -> Any:
    """The container of the machine that *unit* is on. fleet may be moving it."""
    found: list[Any] = []

    def placed() -> bool:
        placed_on = stack.cluster().snapshot().units[unit].machine_id
        found.extend(there for there in machines(stack).values() if machine_id(there) == placed_on)
        return bool(found)

    until(placed, f"{unit} has a machine")
    return found[0]


def machine_id(machine: Any) -> str:
    """The id by which fleet, heartbeats and registrations name *machine*, which has to run."""
    return run_on(machine, "cat", "/etc/machine-id").strip()


def run_on(machine: Any, *argv: str) -> str:
    """What *argv* says on *machine*; it has to succeed."""
    code, output = machine.exec_run(list(argv))
    assert code == 0, output.decode()
    return str(output.decode())


def etcd_answer(machine: Any, path: str) -> Any:
    """What the etcd of *machine* answers below `/v2/`. On a busy computer docker sometimes loses the first part of what
    a short command says: it is asked again until the answer is whole."""
    while True:
        with suppress(json.JSONDecodeError):
            return json.loads(run_on(machine, "curl", "-s", f"http://127.0.0.1:2379/v2/{path}"))


def until(holds: Callable[[], bool], what: str) -> float:
    """Wait until *holds*; the seconds that it took. A cluster that does not answer says nothing."""

    def answered() -> bool:
        with suppress(FleetCaptainError):
            return holds()
        return False

    return waits.until(answered, lambda: what, within_sec=_LONGEST_SEC, pause_sec=_PAUSE_SEC)


def leader(stack: Stack) -> str:
    """The machine whose etcd leads."""
    there = machines(stack)
    leads = etcd_answer(there["m1"], "stats/self")["leaderInfo"]["leader"]
    members = etcd_answer(there["m1"], "members")["members"]
    return str(next(member["name"] for member in members if member["id"] == leads))


@contextmanager
def without_etcd(stack: Stack, names: tuple[str, ...]) -> Iterator[None]:
    """On these machines etcd is stopped until the block ends, on all at the same time: a stop may take seconds."""
    there = machines(stack)
    for blocking in (["--no-block"], []):
        for name in names:
            run_on(there[name], "systemctl", "stop", *blocking, "etcd.service")
    try:
        yield
    finally:
        for name in names:
            run_on(there[name], "systemctl", "start", "etcd.service")


def fleet_answers(machine: Any) -> bool:
    """Whether fleetd on *machine* answers. After an outage of etcd it ends itself, and answers again a minute later;
    others may list the machine until it has ended."""
    code, output = machine.exec_run(
        ["curl", "-s", "--unix-socket", "/run/fleet.sock", "http://fleet/fleet/v1/machines"]
    )
    return code == 0 and machine_id(machine) in output.decode()


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


def alive(cluster: Cluster) -> int:
    """How many machines fleet sees."""
    return len(cluster.snapshot().machines)


def settled(cluster: Cluster) -> bool:
    """Whether fleet sees all machines, and all units but the agent's are registered where they run. After an outage of
    etcd fleet moves units, and a fleetd may need a minute to end itself before it comes back."""
    look = cluster.snapshot()
    units = {name for name in look.units if name != agent_name(cluster.app)}
    live = {entry.unit for entry in look.live}
    return len(look.machines) == 3 and live == look.registrations.keys() == units


@contextmanager
def unstoppable(machine: Any, unit: str) -> Iterator[None]:
    """Until the block ends systemd keeps a stop of *unit* waiting, for the sake of another unit that stops before it. A
    start that comes meanwhile takes the waiting stop's place, as one of fleet's does when systemd is busy."""
    before, folder = "stops-before.service", "/run/systemd/system"
    service = "ExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 600\nTimeoutStopSec=600"
    text = f"[Unit]\nAfter={unit}\n[Service]\n{service}\n"
    run_on(machine, "sh", "-c", f"printf '{text}' >{folder}/{before} && systemctl daemon-reload")
    run_on(machine, "systemctl", "start", before)
    run_on(machine, "systemctl", "stop", "--no-block", before)
    try:
        yield
    finally:
        run_on(machine, "systemctl", "kill", "--signal=SIGKILL", before)
        run_on(machine, "rm", f"{folder}/{before}")
