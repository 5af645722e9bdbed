"""The handle of a cluster, which resources use. The differences between kinds of clusters are methods here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from pathlib import Path
from typing import ClassVar, TypeVar

from components.cluster.balanced_targets import PublicTarget
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
    """Whether the cluster exists and runs. One that is THERE may still be unreachable."""

    GONE = "gone"
    STOPPED = "stopped"
    THERE = "there"


class ClusterHandle:
    """The cluster of *connection*, which only this stack uses, because it made it (*is_own*)."""

    is_own: ClassVar[bool] = True

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def presence(self) -> Presence:
        """Whether the cluster is there, without a request to it; THERE if only the cluster itself could tell."""
        return Presence.THERE

    def problem(self) -> str:
        """Why the cluster is not there, and what to do; "" if nothing is known of that."""
        return ""

    def is_whole(self) -> bool:
        """Whether every machine runs, as far as known without a request to the cluster: fleet and etcd take up to a
        minute to notice a lost machine."""
        return True

    def refuse(self) -> None:
        """Raise ClusterRefused when this program may not change the cluster."""

    def refuse_loss(self) -> None:
        """Raise ClusterRefused if the cluster, which is about to be removed, has data whose loss needs consent."""

    def connect(self, app: str) -> Cluster:
        """The cluster for *app*, one value for the whole process. The tunnel opens at the first request.
        Raises ClusterRefused, see `refuse`."""
        self.refuse()
        key = (self.connection, app)
        with _lock:
            if key not in _clusters:
                _clusters[key] = open_cluster(self.connection.located(Path.cwd()).endpoint, app)
            return _clusters[key]

    def clean_registry(self, cluster: Cluster, repositories: Collection[str]) -> None:
        """Remove the images of the app's *repositories* that neither a recorded release nor a unit names from the
        cluster's own registry. Called while no deployment of the app is under way. Others have rules of their own."""

    def wait_balanced(
        self,
        public: Mapping[str, PublicTarget],
        timeout_sec: float,
        report: Callable[[str], None],
        cancelled: Callable[[], bool],
    ) -> None:
        """Return when the load balancer sends to the proxies of the *public* ports; at once where there is none.
        Raises DeadlineExceeded and Interrupted."""

    def only_first(self, question: Callable[[], _T]) -> _T | None:
        """The result of *question*. If the cluster is unreachable only the first caller gets the error, with the
        remedy; the others get None, so that there is one error and not one per unit."""
        try:
            return question()
        except ClusterUnreachable as error:
            with _lock:
                is_reported = self.connection.stack in _reported
                _reported.add(self.connection.stack)
            if is_reported:
                return None
            raise ClusterUnreachable(
                f"{error} If the cluster no longer exists, run `pulumi state delete` for its resources, or `make down`."
            ) from error
