"""From the plain connection that a cluster gives out to a `Cluster` that answers, once per process.

A connection is a mapping: ``kind``; ``stack`` (``project/stack``); and for the way in either ``ssh`` (list of
``user@host``), ``key`` and ``known_hosts`` (paths, relative to the project's folder), or ``fleet`` and ``etcd`` (see
`Direct`). There may be ``jump``, ``proxy`` and ``inside`` (see `Endpoint`), and ``size``: how many machines there are,
if not as many as in ``ssh``.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.local_endpoint import endpoint_of
from fleetcaptain.fleet.project_files import located
from fleetcaptain.members.member import quorum
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.connect import open_cluster

__all__ = ["Presence", "connect", "expected_machines", "only_first", "presence", "whole"]

_T = TypeVar("_T")

_lock = threading.Lock()
_clusters: dict[tuple[str, str], Cluster] = {}
_reported: set[str] = set()


class Presence(Enum):
    """Whether there is a cluster at all. THERE may still turn out not to answer."""

    GONE = "gone"
    STOPPED = "stopped"
    THERE = "there"


def presence(connection: Mapping[str, Any]) -> Presence:
    """What is there of the cluster. A local one can be asked of Docker: with too few of its members it is as good as
    stopped, and starts again, or says why not. So is one that belongs to another checkout: its own resource refuses
    everything, and one error says so, not one per unit. Any other is taken to be there."""
    if connection.get("kind") != "local":
        return Presence.THERE
    from fleetcaptain.localcluster.docker_client import machines_running
    from fleetcaptain.localcluster.layout import member_names

    running = machines_running(connection["stack"])
    if running is None:
        return Presence.GONE
    if _original(connection["stack"], _home(connection)):
        return Presence.STOPPED
    members = member_names(len(connection["ssh"]))
    return Presence.THERE if len(running & members) >= quorum(len(members)) else Presence.STOPPED


def whole(connection: Mapping[str, Any]) -> bool:
    """Whether every machine runs, so far as that can be known without asking the cluster: fleet and etcd go on for up
    to a minute to tell of a machine that is gone."""
    if connection.get("kind") != "local":
        return True
    from fleetcaptain.localcluster.docker_client import machines_running

    return len(machines_running(connection["stack"]) or ()) == len(connection["ssh"])


def expected_machines(connection: Mapping[str, Any]) -> int:
    """How many machines the stack says that there are; 0 when they are not its own, and nobody can say."""
    return 0 if connection.get("kind") == "existing" else int(connection.get("size") or len(connection["ssh"]))


def connect(connection: Mapping[str, Any], app: str) -> Cluster:
    """The cluster at *connection*, as *app* sees it. The tunnel opens at the first question. Raises ClusterRefused when
    it belongs to another checkout."""
    if connection.get("kind") == "local" and _original(connection["stack"], _home(connection)):
        from fleetcaptain.localcluster.checkout import refuse_copy

        refuse_copy(connection["stack"], _home(connection))
    key = (json.dumps(connection, sort_keys=True), app)
    with _lock:
        if key not in _clusters:
            _clusters[key] = open_cluster(endpoint_of(located(connection, Path.cwd())), app)
        return _clusters[key]


def only_first(connection: Mapping[str, Any], question: Callable[[], _T]) -> _T | None:
    """What *question* answers. When the cluster cannot be reached only the first who asks gets the error, with the way
    out; to the others the answer is None: one error says it, not one per unit."""
    stack = str(connection.get("stack"))
    try:
        return question()
    except ClusterUnreachable as error:
        with _lock:
            is_reported = stack in _reported
            _reported.add(stack)
        if is_reported:
            return None
        raise ClusterUnreachable(
            f"{error} If the cluster is gone for good, `pulumi state delete` its resources, or `make down`."
        ) from error


def _home(connection: Mapping[str, Any]) -> str:
    return str(Path(connection["key"]).parent)


@functools.cache
def _original(identity: str, home: str) -> str:
    """See `fleetcaptain.localcluster.checkout.original`; asked once per process."""
    from fleetcaptain.localcluster.checkout import original

    return original(identity, home)
