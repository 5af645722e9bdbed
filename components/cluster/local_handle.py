"""A local cluster as resources see it: Docker says whether it runs."""

from __future__ import annotations

import functools

from components.cluster.handle import ClusterHandle, Presence
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.localcluster.checkout import original, refuse_copy
from fleetcaptain.localcluster.docker_client import machines_running
from fleetcaptain.localcluster.layout import member_names
from fleetcaptain.members.member import quorum

__all__ = ["LocalHandle"]


class LocalHandle(ClusterHandle):
    """With too few of its members a local cluster is as good as stopped, and starts again, or says why not. So is one
    that belongs to another checkout: its own resource refuses everything, and one error says so, not one per unit."""

    def presence(self) -> Presence:
        """What Docker says."""
        running = machines_running(self.connection.stack)
        if running is None:
            return Presence.GONE
        if self._original:
            return Presence.STOPPED
        members = member_names(self._machines)
        return Presence.THERE if len(running & members) >= quorum(len(members)) else Presence.STOPPED

    def is_whole(self) -> bool:
        """Whether every machine's container runs."""
        return len(machines_running(self.connection.stack) or ()) == self._machines

    def refuse(self) -> None:
        """Raise ClusterRefused when the cluster belongs to another checkout."""
        if self._original:
            refuse_copy(self.connection.stack, str(self.connection.folder))

    @property
    def _machines(self) -> int:
        endpoint = self.connection.endpoint
        return len(endpoint.hosts) if isinstance(endpoint, Endpoint) else 0

    @property
    def _original(self) -> str:
        return _original(self.connection.stack, str(self.connection.folder))


@functools.cache
def _original(identity: str, folder: str) -> str:
    """See `fleetcaptain.localcluster.checkout.original`; asked once per process."""
    return original(identity, folder)
