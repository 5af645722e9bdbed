"""Releases made of values, and an etcd made of a dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from fleetcaptain.discovery.node import Node
from fleetcaptain.discovery.store import EtcdStore
from fleetcaptain.discovery.values import Manifest, Registration, Release

__all__ = ["Keys", "live", "release"]


def release(
    tag: str, /, *, unfinished: bool = False, requires: dict[str, str] | None = None, **contents: str
) -> Manifest:
    """A release whose services have these contents; *requires* maps a service to the one that it requires."""
    needed = requires or {}
    services = {
        name: Release(content, 1, f"{name}@sha256:1", requires=(needed[name],) if name in needed else ())
        for name, content in contents.items()
    }
    return Manifest(tag, services, "ann@laptop", "2030-01-31T12:00:00+00:00", unfinished)


def live(service: str, content: str, *versions: str, number: int = 1) -> Registration:
    """The registration of an instance."""
    return Registration(service, f"{service}@{number}.service", content, "m", "10.0.0.1", versions=versions)


@dataclass
class Keys:
    """What `EtcdStore` does, in memory. At the next *lose* comparisons somebody else is quicker."""

    nodes: dict[str, Node] = field(default_factory=dict)
    index: int = 0
    lose: int = 0

    @property
    def store(self) -> EtcdStore:
        """These keys, as a store is taken."""
        return cast(EtcdStore, self)

    def read(self, key: str) -> Node | None:
        """The node at *key*."""
        return self.nodes.get(key)

    def below(self, directory: str) -> tuple[Node, ...]:
        """All below *directory*."""
        return tuple(node for key, node in sorted(self.nodes.items()) if key.startswith(f"{directory}/"))

    def write(self, key: str, value: str, ttl_sec: int | None = None) -> None:  # noqa: ARG002
        """Set *key*."""
        self.index += 1
        self.nodes[key] = Node(key, value, self.index)

    def create(self, key: str, value: str, ttl_sec: int | None = None) -> bool:
        """Set *key* if there is none."""
        if key in self.nodes:
            return False
        self.write(key, value, ttl_sec)
        return True

    def swap(self, key: str, old: Node, value: str, ttl_sec: int | None = None) -> bool:
        """Set *key* if it is as *old*; somebody else is quicker *lose* times."""
        if self.lose:
            self.lose -= 1
            self.write(key, old.value)
        if self.nodes.get(key) != old:
            return False
        self.write(key, value, ttl_sec)
        return True

    def let_go(self, key: str, value: str) -> None:
        """Remove *key* if it has *value*."""
        if key in self.nodes and self.nodes[key].value == value:
            del self.nodes[key]

    def delete(self, key: str, recursive: bool = False) -> None:  # noqa: ARG002
        """Remove *key*."""
        self.nodes.pop(key, None)
