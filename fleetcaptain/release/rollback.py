"""Going back to an earlier release: whether it can be done, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from fleetcaptain.discovery.documents import Release
from fleetcaptain.errors import ReleaseRefused, UnitRefused
from fleetcaptain.printable import printable
from fleetcaptain.release.images import ImageState, reference
from fleetcaptain.release.repository import Releases
from fleetcaptain.release.service_release import Part
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["images_of", "obstacles", "order_back", "unknown_release"]

_SHOWN = 10


def images_of(manifests: Iterable[Release]) -> tuple[str, ...]:
    """Every image of some releases, once."""
    found = {release.image for manifest in manifests for release in manifest.services.values() if release.image}
    return tuple(sorted(found))


def obstacles(manifest: Release, texts: Mapping[str, str], images: Mapping[str, ImageState]) -> tuple[str, ...]:
    """Why it is impossible to go back to *manifest*; empty when it can be done. An image of which nothing is known is
    no obstacle: the rollout fetches it before it touches anything."""
    if manifest.unfinished:
        return ("it has never been available as a whole",)
    found = []
    for service, release in sorted(manifest.services.items()):
        text = texts.get(release.unit_hash)
        if text is None:
            found.append(f"{service}: the text of its unit ({release.unit_hash[:7]}) is not kept any more")
        elif _content(text) != release.unit_hash:
            found.append(f"{service}: the text of its unit ({release.unit_hash[:7]}) was changed in etcd")
        elif printable(text) != text:
            found.append(
                f"{service}: the text of its unit ({release.unit_hash[:7]}) has characters that cannot be shown"
            )
        if images.get(release.image) is ImageState.GONE:
            image = reference(release.image)
            found.append(f"{service}: the image {release.image} is gone from the registry {image.registry}")
    return tuple(found)


def unknown_release(tag: str, releases: Releases) -> ReleaseRefused:
    """The error for a *tag* that is no release."""
    there = [manifest.tag for manifest in reversed(releases.manifests) if not manifest.unfinished]
    named = f"There are {', '.join(there[:_SHOWN])}." if there else "There is none yet: deploy one first."
    return ReleaseRefused(
        f"There is no release {tag} to go back to; nothing was touched.",
        [f"{named} `captain releases` lists them; `pulumi config rm fleetcaptain:rollbackTo` deploys the Fleetfile."],
    )


def order_back(parts: Iterable[Part], running: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Service -> the services that have to be rolled before it.

    Going forward, a service comes after what it requires. Going back it comes before: what is required then never is
    older than who needs it. But what does not run at all (*running* are the services that do) has to be started before
    those who need it. That never makes a circle: along ``x before y`` a step up the requirements starts at a service
    that does not run, and a step down ends at one that does, so no step up follows a step down.
    """
    parts = tuple(parts)
    before: dict[str, list[str]] = {part.service: [] for part in parts}
    for part in parts:
        # fleet waits for a unit whose machine another one follows; where that one runs, there is nothing to wait for.
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
