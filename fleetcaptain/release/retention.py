"""The retention of releases: the last ten, the current and the previous one, and those that still run."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.keys import release_key, secret_key, text_key
from fleetcaptain.errors import UnitRefused
from fleetcaptain.release.repository import Releases, read_releases
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["KEPT", "forgotten_texts", "outdated", "prune"]

KEPT = 10


def outdated(releases: Releases, running: Collection[str]) -> tuple[str, ...]:
    """The tags of the releases to delete, the oldest first. *running*: the hashes of all units on the cluster.

    For each running hash the newest release that names it is kept: lookups need it. Pure.
    """
    kept = {manifest.tag for manifest in releases.manifests[-KEPT:]}
    kept |= {releases.current, releases.previous, releases.pending}
    missing = set(running) - {
        unit_hash
        for manifest in releases.manifests
        if manifest.tag in kept
        for unit_hash in manifest.unit_hashes.values()
    }
    for manifest in reversed(releases.manifests):
        if missing.intersection(manifest.unit_hashes.values()):
            kept.add(manifest.tag)
            missing.difference_update(manifest.unit_hashes.values())
    return tuple(manifest.tag for manifest in releases.manifests if manifest.tag not in kept)


def forgotten_texts(releases: Releases, forgotten: Collection[str]) -> tuple[str, ...]:
    """The unit hashes whose texts no release needs once the tags *forgotten* are deleted. Pure."""
    needed = {
        unit_hash
        for manifest in releases.manifests
        if manifest.tag not in forgotten
        for unit_hash in manifest.unit_hashes.values()
    }
    return tuple(sorted(set(releases.texts) - needed))


def prune(store: EtcdStore, app: str, units: Iterable[UnitFile], secrets: Collection[str] = ()) -> tuple[str, ...]:
    """Delete outdated releases, their texts and their secrets, and return the tags. What one of *units*, which are all
    on the cluster, needs is kept, and *secrets*, the digests of those that the deployment has."""
    units = tuple(units)
    releases = read_releases(store, app)
    tags = outdated(releases, {unit.unit_hash for unit in units})
    for tag in tags:
        store.delete(release_key(app, tag))
    # An invalid manifest may be a newer version's, and need its texts.
    if releases.ignored:
        return tags
    forgotten = forgotten_texts(releases, tags)
    for unit_hash in forgotten:
        store.delete(text_key(app, unit_hash))
    try:
        kept = [UnitFile.parse(text) for unit_hash, text in releases.texts.items() if unit_hash not in forgotten]
    except UnitRefused:
        return tags
    needed = {*secrets, *(digest for file in (*units, *kept) for digest in file.secrets.values())}
    for digest in sorted(releases.secrets - needed):
        store.delete(secret_key(app, digest))
    return tags
