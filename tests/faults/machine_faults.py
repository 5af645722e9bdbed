"""Faults of machines, injected for real: in the containers that are the cluster's machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.units.agent_calls import agent_name
from tests.e2e.stack import Stack

__all__ = ["alive", "leader", "machine_of", "machines", "run_on", "settled", "unstoppable", "until", "without_etcd"]

_LONGEST_SEC = 180.0


def machines(stack: Stack) -> dict[str, Any]:
    """Name -> the container of each machine."""
    return {name: container for name, container in stack.containers().items() if name != "registry"}


def machine_of(stack: Stack, unit: str) -> Any:
    """The container of the machine that *unit* is on. fleet may be moving it."""
    found: list[Any] = []

    def placed() -> bool:
        machine_id = stack.cluster().snapshot().units[unit].machine_id
        ids = {there: run_on(there, "cat", "/etc/machine-id").strip() for there in machines(stack).values()}
        found.extend(there for there, id_ in ids.items() if id_ == machine_id)
        return bool(found)

    until(placed, f"{unit} has a machine")
    return found[0]


def run_on(machine: Any, *argv: str) -> str:
    """What *argv* says on *machine*; it has to succeed."""
    code, output = machine.exec_run(list(argv))
    assert code == 0, output.decode()
    return str(output.decode())


def until(holds: Callable[[], bool], what: str) -> float:
    """Wait until *holds*; the seconds that it took. A cluster that does not answer says nothing."""
    began = time.monotonic()
    while time.monotonic() - began < _LONGEST_SEC:
        try:
            if holds():
                return time.monotonic() - began
        except FleetCaptainError:
            continue
        time.sleep(0.1)
    raise AssertionError(f"not in {_LONGEST_SEC:.0f} s: {what}")


def leader(stack: Stack) -> str:
    """The machine whose etcd leads."""
    there = machines(stack)
    found = json.loads(run_on(there["m1"], "curl", "-s", "http://127.0.0.1:2379/v2/stats/self"))
    members = json.loads(run_on(there["m1"], "curl", "-s", "http://127.0.0.1:2379/v2/members"))["members"]
    return str(next(member["name"] for member in members if member["id"] == found["leaderInfo"]["leader"]))


@contextmanager
def without_etcd(stack: Stack, names: tuple[str, ...]) -> Iterator[None]:
    """On these machines etcd is stopped until the block ends."""
    there = machines(stack)
    for name in names:
        run_on(there[name], "systemctl", "stop", "etcd.service")
    try:
        yield
    finally:
        for name in names:
            run_on(there[name], "systemctl", "start", "etcd.service")


def alive(cluster: Cluster) -> int:
    """How many machines fleet sees."""
    return len(cluster.snapshot().machines)


def settled(cluster: Cluster) -> bool:
    """Whether fleet sees all machines, and all units but the beacon are registered where they run. After an outage of
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
