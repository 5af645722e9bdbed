"""Reads the releases of an app from etcd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetcaptain.discovery.documents import Release, manifest_at
from fleetcaptain.discovery.etcd_node import Node, Reader
from fleetcaptain.discovery.keys import (
    current_key,
    pending_key,
    previous_key,
    releases_dir,
    secrets_dir,
    text_key,
    texts_dir,
)
from fleetcaptain.untrusted import Ignored, Unreadable, read_all

__all__ = ["Releases", "manifest_of", "read_manifests", "read_releases", "read_secret_digests", "read_texts"]


@dataclass(frozen=True)
class Releases:
    """All *manifests*, the last deployed at the end, and the tags of the *current*, the *previous* and the *pending*
    release; "" where there is none. *texts* maps unit hashes to unit texts. *secrets*: the digests of those that etcd
    has. *ignored* are values in etcd that are not manifests."""

    manifests: tuple[Release, ...] = ()
    current: str = ""
    previous: str = ""
    pending: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[Ignored, ...] = ()
    secrets: frozenset[str] = frozenset()

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


def manifest_of(node: Node | None) -> Release | None:
    """The manifest in *node*; None when it is missing or invalid."""
    try:
        return manifest_at(node.key, node.value) if node else None
    except Unreadable:
        return None


def read_texts(reader: Reader, app: str) -> dict[str, str]:
    """Unit hash -> the unit's text, for all texts that etcd keeps of *app*."""
    return {
        unit_hash: node.value
        for node in reader.below(texts_dir(app))
        if node.key == text_key(app, unit_hash := node.key.rpartition("/")[2])
    }
