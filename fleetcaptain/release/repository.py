"""The releases of an app, as etcd has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetcaptain.discovery.documents import Release, manifest_at
from fleetcaptain.discovery.etcd_node import Node, Reader
from fleetcaptain.discovery.keys import current_key, pending_key, previous_key, releases_dir, text_key, texts_dir
from fleetcaptain.untrusted import Ignored, Unreadable, read_all

__all__ = ["Releases", "manifest_of", "read_manifests", "read_releases", "read_texts"]


@dataclass(frozen=True)
class Releases:
    """All *manifests*, the one deployed last at the end, and the tags of the release that is *current*, of the one that
    was before, and of the one that is being deployed; "" where there is none. *texts* maps contents to unit texts.
    *ignored* are the values in etcd that are no manifests."""

    manifests: tuple[Release, ...] = ()
    current: str = ""
    previous: str = ""
    pending: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[Ignored, ...] = ()

    def named(self, tag: str) -> Release | None:
        """The release *tag*, or None."""
        return next((manifest for manifest in self.manifests if manifest.tag == tag), None)


def read_releases(reader: Reader, app: str) -> Releases:
    """The releases of *app*, with the texts of their units."""
    # The texts first: whoever records a release writes its manifest before its texts, so each text seen has its owner.
    texts = read_texts(reader, app)
    manifests, ignored = _manifests(reader, app)
    return Releases(
        manifests,
        _value(reader, current_key(app)),
        _value(reader, previous_key(app)),
        _value(reader, pending_key(app)),
        texts,
        ignored,
    )


def _value(reader: Reader, key: str) -> str:
    node = reader.read(key)
    return node.value if node else ""


def read_manifests(reader: Reader, app: str) -> tuple[Release, ...]:
    """The manifests of all releases of *app*; the one that was deployed last is the last."""
    return _manifests(reader, app)[0]


def _manifests(reader: Reader, app: str) -> tuple[tuple[Release, ...], tuple[Ignored, ...]]:
    nodes = sorted(reader.below(releases_dir(app)), key=lambda node: node.index)
    return read_all(manifest_at, ((node.key, node.value) for node in nodes))


def manifest_of(node: Node | None) -> Release | None:
    """The manifest that *node* holds; None when there is none, or none that can be read."""
    try:
        return manifest_at(node.key, node.value) if node else None
    except Unreadable:
        return None


def read_texts(reader: Reader, app: str) -> dict[str, str]:
    """Content -> the unit's text, for all texts that are kept of *app*."""
    return {
        unit_hash: node.value
        for node in reader.below(texts_dir(app))
        if node.key == text_key(app, unit_hash := node.key.rpartition("/")[2])
    }
