"""The handle of an existing cluster: the stack shares it, and does not know its size."""

from __future__ import annotations

from typing import ClassVar

from components.cluster.handle import ClusterHandle

__all__ = ["ExistingHandle"]


class ExistingHandle(ClusterHandle):
    """Others may have units on it."""

    is_own: ClassVar[bool] = False
