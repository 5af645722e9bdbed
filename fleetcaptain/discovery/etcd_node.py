"""A key of etcd as its readers get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Node", "Reader"]


@dataclass(frozen=True)
class Node:
    """A *key* with its *value*, as it was at *index* (etcd's modifiedIndex, for compare-and-swap)."""

    key: str
    value: str
    index: int


class Reader(Protocol):
    """Reads etcd. Both methods raise ClusterUnreachable."""

    def read(self, key: str) -> Node | None:
        """The node at *key*, or None when there is none."""

    def below(self, directory: str) -> tuple[Node, ...]:
        """Every key below *directory*, at any depth, sorted by name."""
