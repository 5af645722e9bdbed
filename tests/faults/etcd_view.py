"""What etcd on one machine answers about an app, whatever the way into the cluster is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.e2e.stack import Stack
from tests.faults.machine_faults import etcd_answer, settled, until

__all__ = ["Beats", "Heartbeat", "heartbeats", "of_machine", "registered", "since", "spread"]


@dataclass(frozen=True)
class Heartbeat:
    """A machine's heartbeat: the SHA-256 of the *agent*'s program, and etcd's index of its last change."""

    agent: str
    index: int


def _leaves(machine: Any, path: str) -> list[dict[str, Any]]:
    """The keys below *path*."""
    return _below(etcd_answer(machine, f"keys/fleetcaptain/{path}?recursive=true").get("node", {}))


def _below(node: dict[str, Any]) -> list[dict[str, Any]]:
    if not node.get("dir"):
        return [node] if node else []
    return [leaf for child in node.get("nodes", ()) for leaf in _below(child)]


def registered(machine: Any, app: str = "behavioral") -> dict[str, dict[str, Any]]:
    """Unit -> its registration, as *machine* reads it."""
    return {leaf["key"].rpartition("/")[2]: json.loads(leaf["value"]) for leaf in _leaves(machine, f"{app}/services")}


def since(machine: Any, app: str = "behavioral") -> dict[str, str]:
    """Unit -> since when it is registered: another time, another start of the unit."""
    return {unit: entry["since"] for unit, entry in registered(machine, app).items()}


def of_machine(entries: dict[str, dict[str, Any]], machine_id: str) -> set[str]:
    """The units of the *entries* that are on the machine *machine_id*."""
    return {unit for unit, entry in entries.items() if entry["machine"] == machine_id}


def heartbeats(machine: Any, app: str = "behavioral") -> dict[str, Heartbeat]:
    """Machine id -> its heartbeat, as *machine* reads it."""
    return {
        leaf["key"].rpartition("/")[2]: Heartbeat(json.loads(leaf["value"])["agent"], leaf["modifiedIndex"])
        for leaf in _leaves(machine, f"{app}/machines")
    }


class Beats:
    """How often the heartbeats have changed, as *machine* reads them."""

    def __init__(self, machine: Any) -> None:
        self._machine = machine
        self._seen: dict[str, set[int]] = {id_: {one.index} for id_, one in heartbeats(machine).items()}

    def least(self) -> int:
        """That of the machine whose heartbeat changed least."""
        for id_, heartbeat in heartbeats(self._machine).items():
            self._seen.setdefault(id_, set()).add(heartbeat.index)
        return min(map(len, self._seen.values()), default=1) - 1


def spread(stack: Stack) -> None:
    """Let fleet choose machines again for half of the servers: it takes those with the fewest units. Returns when all
    is registered where it runs."""
    for number in (3, 4):
        stack.fleetctl("destroy", f"app_server@{number}.service", machine="m2")
    stack.up()
    cluster = stack.cluster()
    until(lambda: settled(cluster), "all is registered where it runs")
