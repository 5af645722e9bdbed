"""From the plain data of a connection to the handle of its kind of cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.cluster.existing_handle import ExistingHandle
from components.cluster.handle import ClusterHandle
from components.cluster.local_handle import LocalHandle
from fleetcaptain.fleet.connection import ClusterKind, Connection

__all__ = ["handle_of"]

_HANDLES: Mapping[ClusterKind, type[ClusterHandle]] = {
    ClusterKind.LOCAL: LocalHandle,
    ClusterKind.AWS: ClusterHandle,
    ClusterKind.EXISTING: ExistingHandle,
}


def handle_of(data: Mapping[str, Any]) -> ClusterHandle:
    """The cluster at the connection that *data* is. Raises KeyError and ValueError when it is none."""
    connection = Connection.parse(data)
    return _HANDLES[connection.kind](connection)
