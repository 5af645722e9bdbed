"""What a machine is launched with."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.cluster.aws.identity import Identity

__all__ = ["Launch"]


@dataclass(frozen=True)
class Launch:
    """The *user_data* and *identity* of a machine, and what it would miss at its first boot: *before*."""

    user_data: pulumi.Output[str]
    identity: Identity
    before: tuple[pulumi.Resource, ...]

    @property
    def needs(self) -> tuple[pulumi.Resource, ...]:
        """All that has to be there before the machine is launched."""
        return (*self.before, *self.identity.before_machines)
