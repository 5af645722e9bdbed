"""The common properties of a cluster's resources: the prefix of their names, their parent, and their tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

__all__ = ["Scope"]


@dataclass(frozen=True)
class Scope:
    """The cluster *name* of the stack *identity* (``project/stack``), whose resources are children of *parent*."""

    name: str
    identity: str
    parent: pulumi.Resource

    def named(self, part: str) -> str:
        """The name of the resource *part*."""
        return f"{self.name}-{part}" if part else self.name

    def tags(self, part: str) -> dict[str, str]:
        """The tags of the resource *part*. ``fleetcaptain:stack`` finds all resources and costs of a stack."""
        label = self.identity.replace("/", "-")
        return {"Name": f"{label}-{part}" if part else label, "fleetcaptain:stack": self.identity}

    def child(self, **more: Any) -> pulumi.ResourceOptions:
        """The options of a resource, with *more* of them."""
        return pulumi.ResourceOptions(parent=self.parent, **more)
