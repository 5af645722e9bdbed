"""The launch context of machines: network, keys, roles, image."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.aws.iam import MachineIdentity
from components.aws.network import Network
from components.aws.scope import Scope
from components.aws.security_groups import Groups
from components.aws.settings import Settings

__all__ = ["Launch", "LaunchContext"]


@dataclass(frozen=True)
class LaunchContext:
    """The cluster's *scope* and *settings*, its *network* and security *groups*, and the workers' image *ami*."""

    scope: Scope
    settings: Settings
    network: Network
    groups: Groups
    ami: str


@dataclass(frozen=True)
class Launch:
    """The *user_data* and *identity* of a machine, and what it needs at its first boot: *before*."""

    user_data: pulumi.Output[str]
    identity: MachineIdentity
    before: tuple[pulumi.Resource, ...]

    @property
    def needs(self) -> tuple[pulumi.Resource, ...]:
        """All resources that must exist before the machine is launched."""
        return (*self.before, *self.identity.before_machines)
