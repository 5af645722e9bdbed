"""The endpoint of a cluster on this computer: a machine of the cluster, or the end of the user's tunnel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

__all__ = ["LocalEndpoint"]


@dataclass(frozen=True)
class LocalEndpoint:
    """*fleet* is ``unix://<path of fleet's socket>`` or ``http://<host>:<port>``, *etcd* ``http://<host>:<port>``."""

    fleet: str
    etcd: str

    @classmethod
    def of(cls, connection: Mapping[str, Any]) -> Self:
        """The endpoint in the plain data of a *connection*. Raises KeyError when it has none."""
        return cls(connection["fleet"], connection["etcd"])
