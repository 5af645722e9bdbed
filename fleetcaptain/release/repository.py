"""Reads the releases of an app from etcd."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleetcaptain.discovery.documents import Release, manifest_at
from fleetcaptain.discovery.etcd_node import Node, Reader
from fleetcaptain.discovery.keys import (
    current_key,
    pending_key,
    previous_key,
    releases_dir,
    rollback_key,
    secrets_dir,
    text_key,
    texts_dir,
)
from fleetcaptain.untrusted import WORD, Ignored, Unreadable, json_object, read_all, readable

__all__ = [
    "LastRollback",
    "Releases",
    "last_rollback",
    "manifest_of",
    "read_manifests",
    "read_releases",
    "read_secret_digests",
    "read_texts",
    "services_in",
]


@dataclass(frozen=True)
class LastRollback:
    """The last rollback: its *target*, and the release that it *left*."""

    target: str
    left: str

    def to_json(self) -> str:
        """The text kept in etcd."""
        return json.dumps({"target": self.target, "left": self.left})

    @classmethod
    def from_json(cls, text: str) -> LastRollback:
        """Parse *text*. Raises Unreadable."""
        fields = json_object(text)
        return cls(fields.text("target", WORD), fields.text("left", WORD))


@dataclass(frozen=True)
class Releases:
    """All *manifests*, the last deployed at the end, and the tags of the *current*, the *previous* and the *pending*
    release; "" where there is none. *texts* maps unit hashes to unit texts. *secrets*: the digests of those that etcd
    has. *ignored* are values in etcd that are not manifests. *rollback*: that to the pending release, or which made the
    current one current; another one says nothing."""

    manifests: tuple[Release, ...] = ()
    current: str = ""
    previous: str = ""
    pending: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[Ignored, ...] = ()
    secrets: frozenset[str] = frozenset()
    rollback: LastRollback | None = None

    @property
    def is_rolled_back(self) -> bool:
        """Whether a rollback made the current release current."""
        return self.rollback is not None and self.rollback.target == self.current

    def named(self, tag: str) -> Release | None:
        """The release *tag*, or None."""
        return next((manifest for manifest in self.manifests if manifest.tag == tag), None)


def read_releases(reader: Reader, app: str) -> Releases:
    """The releases of *app*, with the texts of their units."""
    # The texts first: a deployment writes the manifest before the texts, so each text that is read has its manifest.
    texts = read_texts(reader, app)
    manifests, ignored = _manifests(reader, app)
    return Releases(
        manifests,
        _value(reader, current_key(app)),
        _value(reader, previous_key(app)),
        _value(reader, pending_key(app)),
        texts,
        ignored,
        read_secret_digests(reader, app),
        last_rollback(reader.read(rollback_key(app))),
    )


def read_secret_digests(reader: Reader, app: str) -> frozenset[str]:
    """The digests of the encrypted secrets that etcd has of *app*."""
    return frozenset(node.key.rpartition("/")[2] for node in reader.below(secrets_dir(app)))


def _value(reader: Reader, key: str) -> str:
    node = reader.read(key)
    return node.value if node else ""


def read_manifests(reader: Reader, app: str) -> tuple[Release, ...]:
    """The manifests of all releases of *app*, in the order of deployment."""
    return _manifests(reader, app)[0]


def _manifests(reader: Reader, app: str) -> tuple[tuple[Release, ...], tuple[Ignored, ...]]:
    nodes = sorted(reader.below(releases_dir(app)), key=lambda node: node.index)
    return read_all(manifest_at, ((node.key, node.value) for node in nodes))


def services_in(manifests: Iterable[Release]) -> frozenset[str]:
    """The services that any of *manifests* has."""
    return frozenset(service for manifest in manifests for service in manifest.services)


def manifest_of(node: Node | None) -> Release | None:
    """The manifest in *node*; None when it is missing or invalid."""
    try:
        return manifest_at(node.key, node.value) if node else None
    except Unreadable:
        return None


def last_rollback(node: Node | None) -> LastRollback | None:
    """The rollback in *node*; None when it is missing or invalid."""
    return readable(LastRollback.from_json, node.value) if node else None


def read_texts(reader: Reader, app: str) -> dict[str, str]:
    """Unit hash -> the unit's text, for all texts that etcd keeps of *app*."""
    return {
        unit_hash: node.value
        for node in reader.below(texts_dir(app))
        if node.key == text_key(app, unit_hash := node.key.rpartition("/")[2])
    }
