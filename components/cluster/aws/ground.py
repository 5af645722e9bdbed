"""What machines stand on."""

from __future__ import annotations

from dataclasses import dataclass

from components.cluster.aws.network import Network
from components.cluster.aws.scope import Scope
from components.cluster.aws.security import Groups
from components.cluster.aws.settings import Settings

__all__ = ["Ground"]


@dataclass(frozen=True)
class Ground:
    """The cluster's *scope* and *settings*, its *network* and security *groups*, and the machines' image *ami*."""

    scope: Scope
    settings: Settings
    network: Network
    groups: Groups
    ami: str
