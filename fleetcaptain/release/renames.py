"""Renames of services: the former services whose instances those of a service replace. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleetcaptain.discovery.documents import Release
from fleetcaptain.release.service_release import Part

__all__ = ["renamed_back", "renamed_in"]


def renamed_in(parts: Iterable[Part]) -> dict[str, tuple[str, ...]]:
    """Service -> the service that it replaces, as a Fleetfile declares them."""
    return {part.service: (part.renamed_from,) for part in parts if part.renamed_from}


def renamed_back(parts: Iterable[Part], manifests: Iterable[Release]) -> dict[str, tuple[str, ...]]:
    """Service -> the services that it replaces when the release of *parts* is deployed again: those of *manifests* that
    this release does not have, and that became the service, or that it became, by one rename or several."""
    names = [part.service for part in parts]
    related = _related(manifests)
    found: dict[str, tuple[str, ...]] = {}
    seen = set(names)
    for name in names:
        mine: list[str] = []
        left = [name]
        while left:
            others = related.get(left.pop(), set()) - seen
            seen |= others
            mine += others
            left += others
        if mine:
            found[name] = tuple(sorted(mine))
    return found


def _related(manifests: Iterable[Release]) -> Mapping[str, set[str]]:
    """Service -> its names before and after each rename that *manifests* record."""
    related: dict[str, set[str]] = {}
    for manifest in manifests:
        for service, release in manifest.services.items():
            if release.renamed_from:
                related.setdefault(service, set()).add(release.renamed_from)
                related.setdefault(release.renamed_from, set()).add(service)
    return related
