"""Which images of an app stay on the machines: those of the releases that a rollback must find there.

The result is a key in etcd for the machine agent, see `fleetcaptain/agent/images.sh`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fleetcaptain.discovery.documents import Release
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import images_key
from fleetcaptain.image_reference import parse_reference
from fleetcaptain.release.repository import Releases, read_releases
from fleetcaptain.release.rollback import images_of

__all__ = ["KEPT_ON_MACHINES", "KeptImages", "docker_name", "kept_images", "kept_on_machines", "write_kept_images"]

KEPT_ON_MACHINES = 3
"""How many available releases keep their images on the machines, in addition to the current and the previous one."""

_DROPPED = 50
_PUBLIC_NAMES = ("", "docker.io", "index.docker.io")


@dataclass(frozen=True)
class KeptImages:
    """References as docker lists them: those to *keep*; the *own* repositories of the app, of which everything else is
    removed; and images of other repositories to *drop*, because only releases that are not kept name them."""

    keep: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The value of the key: a line for each entry. The agent takes it for incomplete without its last line."""
        lines = [f"{word} {entry}" for word in ("keep", "own", "drop") for entry in getattr(self, word)]
        return "\n".join([*lines, "end", ""])

    @classmethod
    def parse(cls, text: str) -> KeptImages:
        """The entries of `text`; lines of any other form are left out."""
        found: dict[str, list[str]] = {"keep": [], "own": [], "drop": []}
        for line in text.splitlines():
            word, _, entry = line.partition(" ")
            if word in found and entry and docker_name(entry) == entry:
                found[word].append(entry)
        return cls(*(tuple(found[word]) for word in ("keep", "own", "drop")))


def docker_name(reference: str) -> str:
    """*reference* as docker lists an image that was pulled by it: without the parts of docker's public registry, and
    without a tag next to a digest. "" for what is not a reference. Pure."""
    parts = parse_reference(reference)
    if parts is None:
        return ""
    is_public = parts.registry in _PUBLIC_NAMES
    name = parts.name.removeprefix("library/") if is_public else f"{parts.registry}/{parts.name}"
    if parts.digest:
        return f"{name}@{parts.digest}"
    return f"{name}:{parts.tag}" if parts.tag else name


def kept_on_machines(releases: Releases) -> tuple[Release, ...]:
    """The current, the previous and the pending release, and the last three that were available. Pure."""
    available = [manifest.tag for manifest in releases.manifests if not manifest.unfinished]
    kept = {releases.current, releases.previous, releases.pending, *available[-KEPT_ON_MACHINES:]}
    return tuple(manifest for manifest in releases.manifests if manifest.tag in kept)


def kept_images(before: KeptImages, releases: Releases, repositories: Collection[str]) -> KeptImages:
    """What follows *before*, given all *releases* and the *repositories* (with their registry) that the app's images
    are pushed to now. Pure.

    An own repository stays one, so that the images of a service that is removed are removed too. Images of others are
    remembered after their release is forgotten: a machine may have been down meanwhile.
    """
    keep = _docker_names(images_of(kept_on_machines(releases)))
    own = tuple(sorted({*before.own, *map(docker_name, repositories)} - {""}))
    named = dict.fromkeys((*before.drop, *before.keep, *_docker_names(images_of(releases.manifests))))
    # The agent leaves what has a tag.
    drop = [name for name in named if "@" in name and name not in keep and name.partition("@")[0] not in own]
    return KeptImages(keep, own, tuple(drop[-_DROPPED:]))


def _docker_names(images: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({docker_name(image) for image in images} - {""}))


def write_kept_images(store: EtcdStore, app: str, repositories: Collection[str] = ()) -> KeptImages:
    """Write the key for the machine agents, unless it is up to date, and return its entries; see `kept_images`. While a
    manifest cannot be read, which may be a newer version's, there is no key, and nothing is removed."""
    key = images_key(app)
    while True:
        node = store.read(key)
        releases = read_releases(store, app)
        if releases.ignored:
            store.delete(key)
            return KeptImages()
        kept = kept_images(KeptImages.parse(node.value if node else ""), releases, repositories)
        if node is not None and node.value == kept.text:
            return kept
        if store.create(key, kept.text) if node is None else store.swap(key, node, kept.text):
            return kept
