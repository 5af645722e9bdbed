"""The connection to a cluster, as the stack's output `connection` and the inputs of its resources have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from fleetcaptain.fleet.local_endpoint import LocalEndpoint
from fleetcaptain.fleet.project_files import from_project
from fleetcaptain.fleet.ssh import Endpoint

__all__ = ["ClusterKind", "Connection"]


class ClusterKind(StrEnum):
    """Who made the cluster, by the value of ``fleetcaptain:cluster``."""

    LOCAL = "local"
    AWS = "aws"
    EXISTING = "existing"


@dataclass(frozen=True)
class Connection:
    """*kind* and *stack* (``project/stack``) of the cluster, the *endpoint* at which it answers, and its *size*: how
    many machines the stack makes, 0 when others make them. *region* and *profile*: those of a cluster on AWS, "" for
    the defaults of AWS's tools.

    As plain data it is a mapping: ``kind``; ``stack``; either ``ssh`` (list of ``user@host``), ``key`` and
    ``known_hosts`` (paths, see `located`), or ``fleet`` and ``etcd`` (see `LocalEndpoint`). There may be ``jump``,
    ``proxy`` and ``inside`` (see `Endpoint`), ``region`` and ``profile``, and ``size``, if it is not the number of
    machines in ``ssh``.
    """

    kind: ClusterKind
    stack: str
    endpoint: Endpoint | LocalEndpoint
    size: int = 0
    region: str = ""
    profile: str = ""

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """The connection in *data*. Raises KeyError and ValueError when it is none."""
        kind = ClusterKind(data.get("kind", ClusterKind.EXISTING))
        managed = kind is not ClusterKind.EXISTING
        endpoint = Endpoint.of(data, managed=managed) if "ssh" in data else LocalEndpoint.of(data)
        size = int(data.get("size") or len(data["ssh"])) if managed else 0
        return cls(kind, data.get("stack", ""), endpoint, size, data.get("region", ""), data.get("profile", ""))

    @property
    def folder(self) -> Path:
        """The folder of its key; of a local cluster that is the stack's own folder."""
        return Path(self.endpoint.key).parent if isinstance(self.endpoint, Endpoint) else Path()

    @property
    def has_relative_files(self) -> bool:
        """Whether only the project's folder locates its files."""
        files = (self.endpoint.key, self.endpoint.known_hosts) if isinstance(self.endpoint, Endpoint) else ()
        return any(text and not Path(text).expanduser().is_absolute() for text in files)

    def located(self, root: Path) -> Self:
        """The same connection with its files found from the project's folder *root*. Pure, but for ``~``."""
        if not isinstance(self.endpoint, Endpoint):
            return self
        key, known_hosts = (self._located(text, root) for text in (self.endpoint.key, self.endpoint.known_hosts))
        return replace(self, endpoint=replace(self.endpoint, key=key, known_hosts=known_hosts))

    def _located(self, text: str, root: Path) -> str:
        if not text:
            return ""  # the keys of ssh's agent, or ssh's own file of known hosts
        return str(root / (from_project(text) if self.kind is ClusterKind.LOCAL else Path(text).expanduser()))
