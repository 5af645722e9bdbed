"""Resolves a service to instances: those of the caller's own release, then compatible ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleetcaptain.discovery.documents import Registration, Release
from fleetcaptain.discovery.instances import Caller, Instance, Registry, releases_of, unit_hashes_of
from fleetcaptain.errors import NotAvailable

__all__ = ["lookup", "refusal"]

Entries = list[Registration]


def lookup(service: str, asker: Caller, known: Registry) -> tuple[Instance, ...]:
    """The instances of *service* that *asker* may use, its own release's first, and then by unit.

    Raises NotAvailable when there is none, naming what there is.
    """
    there = sorted(
        (entry for entry in known.registrations if entry.service == service and not entry.draining),
        key=lambda entry: entry.unit,
    )
    own, compatible, pending = _sorted_out(service, there, asker, known)
    if own or compatible:
        return (*_instances(own, True), *_instances(compatible, False))
    if pending:
        return _instances(pending, False)
    raise NotAvailable(refusal(service, there, asker, known))


def _sorted_out(
    service: str, there: Iterable[Registration], asker: Caller, known: Registry
) -> tuple[Entries, Entries, Entries]:
    """The registrations of the asker's own release, those that say they serve it, and those of a coming release."""
    releases = releases_of(asker, known)
    is_coming = bool(asker.unit_hash) and not releases
    if is_coming:
        # It may be unchanged in the coming release, so the current one's is taken for its own, after the coming one's.
        releases = releases_of(Caller(), known)
    tags = {manifest.tag for manifest in releases}
    wanted = [_wanted(service, manifest) for manifest in releases]
    named = {unit_hash for manifest in known.manifests for unit_hash in unit_hashes_of(manifest)} - _only_coming(known)
    own: list[tuple[int, Registration]] = []
    compatible, pending = [], []
    for entry in there:
        rank = next((rank for rank, unit_hashes in enumerate(wanted) if entry.unit_hash in unit_hashes), None)
        if rank is not None:
            own.append((rank, entry))
        elif tags & set(entry.versions):
            compatible.append(entry)
        elif entry.unit_hash not in named:
            pending.append(entry)
    own.sort(key=lambda ranked: ranked[0])
    mine = [entry for _, entry in own]
    return ([*pending, *mine], compatible, []) if is_coming else (mine, compatible, pending)


def _only_coming(known: Registry) -> set[str]:
    """The contents that the coming release names and the current one does not."""
    current = (unit_hashes_of(manifest) for manifest in known.manifests if manifest.tag == known.current)
    return unit_hashes_of(known.pending).difference(*current) if known.pending else set()


def _wanted(service: str, manifest: Release) -> set[str]:
    """The contents that serve *service* in a release. A name that is no service of it is whoever's registered it."""
    release = manifest.services.get(service)
    return {release.unit_hash} if release else unit_hashes_of(manifest)


def _instances(entries: Iterable[Registration], own: bool) -> tuple[Instance, ...]:
    return tuple(Instance(entry, own) for entry in entries)


_DIGITS = 7  # of a content, as many as in the units' names
_SHOWN = 5


def refusal(service: str, there: Sequence[Registration], asker: Caller, known: Registry) -> str:
    """Why *asker* is not given *service*; *there* are the registrations of it that it may not use."""
    tags = [manifest.tag for manifest in releases_of(asker, known)]
    who = asker.name or "a caller outside of any unit"
    release = f"release {' and '.join(tags)}" if tags else "no release yet"
    refused = f"{service} is not available to {who} ({release})"
    if there:
        shown = "; ".join(_described(entry, known) for entry in there[:_SHOWN])
        more = f"; and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        tag = tags[0] if tags else "TAG"
        return (
            f"{refused}. There is: {shown}{more}. Deploy {service} in that release too, or declare "
            f'versions=["{tag}"] where {service} is registered if it can serve it.'
        )
    draining = sum(entry.service == service for entry in known.registrations)
    if draining:
        return f"{refused}: its {draining} registered instances are all about to go. Its next generation is not up yet."
    others = sorted({entry.service for entry in known.registrations})
    registered = f"registered are {', '.join(others)}" if others else "nothing is registered"
    return (
        f"{refused}: no instance of it is registered ({registered}). Is the name right, and is it deployed and ready?"
    )


def _described(entry: Registration, known: Registry) -> str:
    tags = [manifest.tag for manifest in known.manifests if entry.unit_hash in unit_hashes_of(manifest)]
    of = f"of release {', '.join(sorted(tags))}" if tags else "of no release"
    also = f", serves also {', '.join(entry.versions)}" if entry.versions else ""
    return f"{entry.unit} (content {entry.unit_hash[:_DIGITS] or 'unknown'} {of}{also})"
