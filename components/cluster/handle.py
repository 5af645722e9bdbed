"""What resources ask of the cluster that a connection leads to. What differs by kind of cluster is a method here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import ClassVar, TypeVar

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.connection import Connection
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.connect import open_cluster

__all__ = ["ClusterHandle", "Presence"]

_T = TypeVar("_T")

_lock = threading.Lock()
_clusters: dict[tuple[Connection, str], Cluster] = {}
_reported: set[str] = set()


class Presence(Enum):
    """Whether there is a cluster at all. THERE may still turn out not to answer."""

    GONE = "gone"
    STOPPED = "stopped"
    THERE = "there"


class ClusterHandle:
    """The cluster of *connection*, which the stack made, so that it is alone on it (*is_own*)."""

    is_own: ClassVar[bool] = True

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def presence(self) -> Presence:
        """Whether the cluster is there, asked without a request to it; true where only the cluster itself could say."""
        return Presence.THERE

    def is_whole(self) -> bool:
        """Whether every machine runs, so far as that can be known without a request to the cluster: fleet and etcd
        take up to a minute to notice that a machine is gone."""
        return True

    def refuse(self) -> None:
        """Raise ClusterRefused when this program may not change the cluster."""

    def connect(self, app: str) -> Cluster:
        """The cluster as *app* sees it, the same value for the whole process. The tunnel opens at the first request.
        Raises ClusterRefused, see `refuse`."""
        self.refuse()
        key = (self.connection, app)
        with _lock:
            if key not in _clusters:
                _clusters[key] = open_cluster(self.connection.located(Path.cwd()).endpoint, app)
            return _clusters[key]

    def only_first(self, question: Callable[[], _T]) -> _T | None:
        """What *question* answers. When the cluster cannot be reached only the first caller gets the error, with the
        way out; the others get None, so that one error says it and not one per unit."""
        try:
            return question()
        except ClusterUnreachable as error:
            with _lock:
                is_reported = self.connection.stack in _reported
                _reported.add(self.connection.stack)
            if is_reported:
                return None
            raise ClusterUnreachable(
                f"{error} If the cluster is gone for good, `pulumi state delete` its resources, or `make down`."
            ) from error
