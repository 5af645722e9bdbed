"""The way into a cluster from one of its machines, or through a tunnel that somebody keeps open: no ssh of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from fleetcaptain.fleet.ssh import Endpoint

__all__ = ["Direct", "endpoint_of"]


@dataclass(frozen=True)
class Direct:
    """*fleet* is ``unix://<path of fleet's socket>`` or ``http://<host>:<port>``, *etcd* ``http://<host>:<port>``."""

    fleet: str
    etcd: str

    @classmethod
    def of(cls, connection: Mapping[str, Any]) -> Self:
        """The way that a cluster's connection tells of. Raises KeyError when that is through ssh."""
        return cls(connection["fleet"], connection["etcd"])


def endpoint_of(connection: Mapping[str, Any]) -> Endpoint | Direct:
    """The way that a cluster's connection tells of. Raises KeyError when it tells of none."""
    return Endpoint.of(connection) if "ssh" in connection else Direct.of(connection)
