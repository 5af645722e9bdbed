"""Creates the handle of a cluster from the plain data of its connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.cluster.aws_handle import AwsHandle
from components.cluster.existing_handle import ExistingHandle
from components.cluster.handle import ClusterHandle
from components.cluster.local_handle import LocalHandle
from fleetcaptain.fleet.connection import ClusterKind, Connection

__all__ = ["handle_of"]

_HANDLES: Mapping[ClusterKind, type[ClusterHandle]] = {
    ClusterKind.LOCAL: LocalHandle,
    ClusterKind.AWS: AwsHandle,
    ClusterKind.EXISTING: ExistingHandle,
}


def handle_of(data: Mapping[str, Any]) -> ClusterHandle:
    """The cluster at the connection that *data* is. Raises KeyError and ValueError if it is invalid."""
    connection = Connection.parse(data)
    return _HANDLES[connection.kind](connection)
