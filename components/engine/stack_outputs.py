"""The stack's outputs while a deployment may still fail."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi.runtime.settings import get_root_resource

__all__ = ["keep_outputs"]


def keep_outputs(known: Mapping[str, str]) -> None:
    """Register the *known* outputs before anything can fail. A failed update then keeps all other outputs as they are;
    one that registers none shows all of them as deleted. A program that succeeds registers its own in their place."""
    root = get_root_resource()
    if isinstance(root, pulumi.ComponentResource):
        root.register_outputs(dict(known))
