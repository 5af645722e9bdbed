"""The handle of a local cluster: Docker knows whether it runs."""

from __future__ import annotations

import functools
from collections.abc import Collection

from components.cluster.data_loss import refuse_loss
from components.cluster.handle import ClusterHandle, Presence
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.localcluster.checkout import original, refuse_copy
from fleetcaptain.localcluster.docker_client import machines_running
from fleetcaptain.localcluster.layout import member_names
from fleetcaptain.localcluster.registry_cleanup import clean_registry, digests_in
from fleetcaptain.members.member import quorum
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.finish import texts_with_images

__all__ = ["LocalHandle"]


class LocalHandle(ClusterHandle):
    """A local cluster with too few members counts as stopped, and its resource starts it or reports why it cannot. A
    cluster of another checkout counts as stopped too: its resource refuses all changes, with one error for all
    units."""

    def presence(self) -> Presence:
        """The presence according to Docker."""
        running = machines_running(self.connection.stack)
        if running is None:
            return Presence.GONE
        if self._original:
            return Presence.STOPPED
        members = member_names(self._machines)
        return Presence.THERE if len(running & members) >= quorum(len(members)) else Presence.STOPPED

    def problem(self) -> str:
        """How to start it."""
        return "Start its machines, which are containers: `docker ps --all`, `docker start`."

    def is_whole(self) -> bool:
        """Whether every machine's container runs."""
        return len(machines_running(self.connection.stack) or ()) == self._machines

    def refuse(self) -> None:
        """Raise ClusterRefused if the cluster belongs to another checkout."""
        if self._original:
            refuse_copy(self.connection.stack, str(self.connection.folder))

    def refuse_loss(self) -> None:
        """See `refuse_loss` in `components.cluster.data_loss`."""
        self.refuse()
        refuse_loss(self.connection.stack)

    def clean_registry(self, cluster: Cluster, repositories: Collection[str]) -> None:
        """Remove them from the registry in this computer's Docker."""
        clean_registry(self.connection.stack, digests_in(texts_with_images(cluster)), repositories)

    @property
    def _machines(self) -> int:
        endpoint = self.connection.endpoint
        return len(endpoint.hosts) if isinstance(endpoint, Endpoint) else 0

    @property
    def _original(self) -> str:
        return _original(self.connection.stack, str(self.connection.folder))


@functools.cache
def _original(identity: str, folder: str) -> str:
    """See `fleetcaptain.localcluster.checkout.original`; read once per process."""
    return original(identity, folder)
