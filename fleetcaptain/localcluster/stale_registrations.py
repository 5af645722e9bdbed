"""Removes registrations that a machine left behind when it was killed: they would be valid for another minute."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from fleetcaptain.discovery.documents import Registration
from fleetcaptain.localcluster.etcd_exec import exec_request
from fleetcaptain.untrusted import readable

__all__ = ["forget_stale", "stale"]

_KEYS = "/v2/keys"


def stale(answer: str, started: Mapping[str, datetime]) -> list[tuple[str, int]]:
    """(key, index) of each registration in etcd's recursive *answer* that is older than its machine's start: *started*
    maps machine ids to start times. Pure."""
    try:
        tree = json.loads(answer).get("node", {})
    except (ValueError, AttributeError, RecursionError):
        return []
    found: list[tuple[str, int]] = []
    for node in _leaves(tree):
        registration = readable(Registration.from_json, str(node.get("value", "")))
        began = started.get(registration.machine) if registration else None
        if registration is not None and began is not None and _before(registration.since, began):
            found.append((str(node["key"]), int(node["modifiedIndex"])))
    return found


def forget_stale(containers: Collection[Any], machine_ids: Mapping[str, str]) -> None:
    """Remove the registrations that the machines *containers* left behind before their present start. *machine_ids*
    maps the containers' names to ids. Each deletion is a compare-and-delete, so a registration that was just renewed
    stays."""
    started = {}
    for container in containers:
        container.reload()
        moment = str(container.attrs["State"]["StartedAt"])[:19]
        started[machine_ids[container.name]] = datetime.fromisoformat(f"{moment}+00:00")
    for container in containers:
        _, answer = exec_request(container, "GET", f"{_KEYS}/fleetcaptain?recursive=true")
        for key, index in stale(answer, started):
            exec_request(container, "DELETE", f"{_KEYS}{quote(key)}?prevIndex={index}")
        return


def _leaves(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if not node.get("dir"):
        yield node
    for child in node.get("nodes", ()):
        yield from _leaves(child)


def _before(since: str, moment: datetime) -> bool:
    try:
        return datetime.fromisoformat(since) < moment
    except (ValueError, TypeError):
        return False
