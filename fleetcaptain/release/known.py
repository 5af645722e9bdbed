"""The releases of an app, as etcd has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetcaptain.discovery.keys import coming_key, current_key, previous_key, releases_dir, texts_dir
from fleetcaptain.discovery.node import Reader
from fleetcaptain.discovery.values import Manifest

__all__ = ["Releases", "read_manifests", "read_releases", "read_texts"]


@dataclass(frozen=True)
class Releases:
    """All *manifests*, the one deployed last at the end, and the tags of the release that is *current*, of the one that
    was before, and of the one that is being deployed; "" where there is none. *texts* maps contents to unit texts."""

    manifests: tuple[Manifest, ...] = ()
    current: str = ""
    previous: str = ""
    coming: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)

    def named(self, tag: str) -> Manifest | None:
        """The release *tag*, or None."""
        return next((manifest for manifest in self.manifests if manifest.tag == tag), None)


def read_releases(reader: Reader, app: str) -> Releases:
    """The releases of *app*, with the texts of their units."""
    # The texts first: whoever records a release writes its manifest before its texts, so each text seen has its owner.
    texts = read_texts(reader, app)
    return Releases(
        read_manifests(reader, app),
        _value(reader, current_key(app)),
        _value(reader, previous_key(app)),
        _value(reader, coming_key(app)),
        texts,
    )


def _value(reader: Reader, key: str) -> str:
    node = reader.read(key)
    return node.value if node else ""


def read_manifests(reader: Reader, app: str) -> tuple[Manifest, ...]:
    """The manifests of all releases of *app*; the one that was deployed last is the last."""
    nodes = sorted(reader.below(releases_dir(app)), key=lambda node: node.index)
    manifests = (Manifest.read(node.value) for node in nodes)
    return tuple(manifest for manifest in manifests if manifest is not None)


def read_texts(reader: Reader, app: str) -> dict[str, str]:
    """Content -> the unit's text, for all texts that are kept of *app*."""
    return {node.key.rpartition("/")[2]: node.value for node in reader.below(texts_dir(app))}
