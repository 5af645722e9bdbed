"""Which instances of a service somebody may use: those of its own release, then those that say they serve it too.

A release is the asker's own when its manifest names the asker's content. A service that did not change is in the old
release and in the new one, so it sees the instances of both; one that changed sees only its own generation.

What only the coming release names, or no manifest at all, is coming. For an asker that is coming too it is the own
release. For others it counts only where there is nothing else: they are not left with nothing while it takes over. An
old release that is gone back to is a coming one like any other.
"""

from __future__ import annotations

from collections.abc import Iterable

from fleetcaptain.discovery.instances import Asker, Instance, Known, contents_of, releases_of
from fleetcaptain.discovery.refusal import refusal
from fleetcaptain.discovery.values import Manifest, Registration
from fleetcaptain.errors import NotAvailable

__all__ = ["lookup"]

Entries = list[Registration]


def lookup(service: str, asker: Asker, known: Known) -> tuple[Instance, ...]:
    """The instances of *service* that *asker* may use, its own release's first, and then by unit.

    Raises NotAvailable when there is none, naming what there is.
    """
    there = sorted(
        (entry for entry in known.registrations if entry.service == service and not entry.draining),
        key=lambda entry: entry.unit,
    )
    own, compatible, coming = _sorted_out(service, there, asker, known)
    if own or compatible:
        return (*_instances(own, True), *_instances(compatible, False))
    if coming:
        return _instances(coming, False)
    raise NotAvailable(refusal(service, there, asker, known))


def _sorted_out(
    service: str, there: Iterable[Registration], asker: Asker, known: Known
) -> tuple[Entries, Entries, Entries]:
    """The registrations of the asker's own release, those that say they serve it, and those of a coming release."""
    releases = releases_of(asker, known)
    is_coming = bool(asker.content) and not releases
    if is_coming:
        # It may be unchanged in the coming release, so the current one's is taken for its own, after the coming one's.
        releases = releases_of(Asker(), known)
    tags = {manifest.tag for manifest in releases}
    wanted = [_wanted(service, manifest) for manifest in releases]
    named = {content for manifest in known.manifests for content in contents_of(manifest)} - _only_coming(known)
    own: list[tuple[int, Registration]] = []
    compatible, coming = [], []
    for entry in there:
        rank = next((rank for rank, contents in enumerate(wanted) if entry.content in contents), None)
        if rank is not None:
            own.append((rank, entry))
        elif tags & set(entry.versions):
            compatible.append(entry)
        elif entry.content not in named:
            coming.append(entry)
    own.sort(key=lambda ranked: ranked[0])
    mine = [entry for _, entry in own]
    return ([*coming, *mine], compatible, []) if is_coming else (mine, compatible, coming)


def _only_coming(known: Known) -> set[str]:
    """The contents that the coming release names and the current one does not."""
    current = (contents_of(manifest) for manifest in known.manifests if manifest.tag == known.current)
    return contents_of(known.coming).difference(*current) if known.coming else set()


def _wanted(service: str, manifest: Manifest) -> set[str]:
    """The contents that serve *service* in a release. A name that is no service of it is whoever's registered it."""
    release = manifest.services.get(service)
    return {release.content} if release else contents_of(manifest)


def _instances(entries: Iterable[Registration], own: bool) -> tuple[Instance, ...]:
    return tuple(Instance(entry, own) for entry in entries)
