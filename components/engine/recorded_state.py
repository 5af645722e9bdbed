"""Resources of this stack as its state has them before the update: what a program must not move without notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pulumi

__all__ = ["recorded_resources"]

# A function of the engine itself, which `StackReference` is made of; it answers for the program's own stack too.
_READ = "pulumi:pulumi:readStackResourceOutputs"
# Pulumi empties the file of a state before it writes it again (pulumi/pulumi#9122), as it does after each step of an
# update. So a reading beside the engine's own writing may find nothing: measured, one of ten.
_UNREADABLE = "failed to load checkpoint"
_TRIES, _PAUSE_SEC = 40, 0.25


def recorded_resources(
    types: Collection[str], *, sleep: Callable[[float], None] = time.sleep
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """(type, name) -> outputs, of all recorded resources of *types*; none before the first update. Others, whose
    outputs may be secret, are left out. Raises Pulumi's error if the state cannot be read."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    return {
        (resource["type"], urn.rpartition("::")[2]): resource["outputs"]
        for urn, resource in _outputs(stack, sleep).items()
        if resource["type"] in types
    }


def _outputs(stack: str, sleep: Callable[[float], None]) -> Mapping[str, Any]:
    """URN -> resource, of all that the state of *stack* has."""
    tries = 0
    while True:
        try:
            found: Mapping[str, Any] = pulumi.runtime.invoke(_READ, {"stackName": stack}).value["outputs"]
        except Exception as error:  # Pulumi has no other class for it
            tries += 1
            if tries == _TRIES or _UNREADABLE not in str(error):
                raise
            sleep(_PAUSE_SEC)
        else:
            return found
