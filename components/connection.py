"""From the plain connection that a cluster gives out to a `Cluster` that answers, once per process.

A connection is a mapping: ``ssh`` (list of ``user@host``), ``key`` and ``known_hosts`` (absolute paths), ``stack``
(``project/stack``), ``kind``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["Presence", "connect", "only_first", "presence"]

_T = TypeVar("_T")

_lock = threading.Lock()
_clusters: dict[tuple[str, str], Cluster] = {}
_told: set[str] = set()


class Presence(Enum):
    """Whether there is a cluster at all. THERE may still turn out not to answer."""

    GONE = "gone"
    STOPPED = "stopped"
    THERE = "there"


def presence(connection: Mapping[str, Any]) -> Presence:
    """What is there of the cluster. A local one can be asked of Docker; any other is taken to be there."""
    if connection.get("kind") != "local":
        return Presence.THERE
    from components.cluster.presence import machines_running

    running = machines_running(connection["stack"])
    if running is None:
        return Presence.GONE
    return Presence.THERE if running else Presence.STOPPED
