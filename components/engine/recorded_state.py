"""Resources of this stack as its state has them before the update: what a program must not move without notice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pulumi

__all__ = ["recorded_resources"]

# A function of the engine itself, which `StackReference` is made of; it answers for the program's own stack too.
_READ = "pulumi:pulumi:readStackResourceOutputs"


def recorded_resources(types: Collection[str]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """(type, name) -> outputs, of all recorded resources of *types*; none before the first update. Others, whose
    outputs may be secret, are left out."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    found: Mapping[str, Any] = pulumi.runtime.invoke(_READ, {"stackName": stack}).value["outputs"]
    return {
        (resource["type"], urn.rpartition("::")[2]): resource["outputs"]
        for urn, resource in found.items()
        if resource["type"] in types
    }
