"""Rollback to an earlier release: its obstacles and its order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from fleetcaptain.discovery.documents import Release
from fleetcaptain.errors import ReleaseRefused, UnitRefused
from fleetcaptain.printable import printable
from fleetcaptain.release.images import ImageState, reference
from fleetcaptain.release.repository import Releases
from fleetcaptain.release.service_release import Part
from fleetcaptain.schedule.window import time_zone
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.untrusted import readable

__all__ = ["images_of", "obstacles", "order_back", "unknown_release"]

_SHOWN = 10


def images_of(manifests: Iterable[Release]) -> tuple[str, ...]:
    """Every image of *manifests*, once."""
    found = {release.image for manifest in manifests for release in manifest.services.values() if release.image}
    return tuple(sorted(found))


def obstacles(
    manifest: Release, texts: Mapping[str, str], images: Mapping[str, ImageState], secrets: Collection[str] = ()
) -> tuple[str, ...]:
    """Why *manifest* cannot be rolled back to; empty when it can. *secrets*: the digests of those that etcd has. An
    image whose state is unknown is no obstacle: the rollout pulls it before it changes anything."""
    if manifest.unfinished:
        return ("it has never been available as a whole",)
    found = []
    for service, release in sorted(manifest.services.items()):
        text = texts.get(release.unit_hash)
        if text is None:
            found.append(f"{service}: etcd no longer has the text of its unit ({release.unit_hash[:7]})")
        elif _content(text) != release.unit_hash:
            found.append(f"{service}: the text of its unit ({release.unit_hash[:7]}) was changed in etcd")
        elif printable(text) != text:
            found.append(
                f"{service}: the text of its unit ({release.unit_hash[:7]}) has characters that cannot be shown"
            )
        elif lost := sorted(name for name, digest in UnitFile.parse(text).secrets.items() if digest not in secrets):
            found.append(f"{service}: etcd no longer has the value of {', '.join(lost)} that the release had")
        found += [
            f"{service}: this computer does not know the time zone {window.timezone} of the window {window.name}; "
            "update its package tzdata"
            for window in release.windows
            if readable(time_zone, window.timezone) is None
        ]
        if images.get(release.image) is ImageState.GONE:
            image = reference(release.image)
            found.append(f"{service}: the image {release.image} is gone from the registry {image.registry}")
    return tuple(found)


def unknown_release(tag: str, releases: Releases) -> ReleaseRefused:
    """The error for a *tag* that no release has."""
    there = [manifest.tag for manifest in reversed(releases.manifests) if not manifest.unfinished]
    named = f"Choose one of {', '.join(there[:_SHOWN])}" if there else "Deploy a release first"
    return ReleaseRefused(
        f"Cannot roll back to {tag}: no such release. Nothing was changed.",
        [
            f"{named} (see `captain releases`), or run `pulumi config rm fleetcaptain:rollbackTo` to deploy the "
            "Fleetfile."
        ],
    )


def order_back(parts: Iterable[Part], running: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Service -> the services that must be rolled before it.

    A deployment rolls a service after those that it requires. A rollback rolls it before them, so that a required
    service is never older than its dependents. But a required service that does not run (*running* are those that do)
    must start before its dependents. That makes no cycle: along ``x before y`` a step up the requirements starts at a
    service that does not run, and a step down ends at one that does, so no step up follows a step down.
    """
    parts = tuple(parts)
    before: dict[str, list[str]] = {part.service: [] for part in parts}
    for part in parts:
        # fleet places a unit only once the unit whose machine it follows is placed; a running one is placed already.
        peers = (peer for peer in part.peers if peer not in running)
        for needed in dict.fromkeys((*part.requires, *peers)):
            if needed not in before:
                continue
            first, then = (part.service, needed) if needed in running else (needed, part.service)
            before[then].append(first)
    return {service: tuple(others) for service, others in before.items()}


def _content(text: str) -> str:
    """The hash of *text*; empty for what is no text of a unit."""
    try:
        return UnitFile.parse(text).unit_hash
    except (UnitRefused, UnicodeEncodeError):
        return ""
