"""Resolves a service to instances: those of the caller's own release, then compatible ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fleetcaptain.discovery.documents import Registration, Release
from fleetcaptain.discovery.instances import Caller, Instance, Registry, releases_of, unit_hashes_of
from fleetcaptain.errors import NotAvailable

__all__ = ["lookup", "refusal"]

_DIGITS = 7  # of a unit hash, as many as in the units' names
_SHOWN = 5

Entries = list[Registration]


def lookup(service: str, caller: Caller, known: Registry) -> tuple[Instance, ...]:
    """The instances of *service* that *caller* may use, its own release's first, then by unit.

    Raises NotAvailable when there is none; its message names the registered instances.
    """
    there = sorted(
        (entry for entry in known.registrations if entry.service == service and not entry.draining),
        key=lambda entry: entry.unit,
    )
    own, compatible, pending = _sorted_out(service, there, caller, known)
    if own or compatible:
        return (*_instances(own, True), *_instances(compatible, False))
    if pending:
        return _instances(pending, False)
    raise NotAvailable(refusal(service, there, caller, known))


def _sorted_out(
    service: str, there: Iterable[Registration], caller: Caller, known: Registry
) -> tuple[Entries, Entries, Entries]:
    """The registrations of the caller's own release, those that declare to serve it, and those of a pending release."""
    releases = releases_of(caller, known)
    is_pending = bool(caller.unit_hash) and not releases
    if is_pending:
        # The service may be unchanged in the pending release, so the current one's instances also count as its own.
        releases = releases_of(Caller(), known)
    tags = {manifest.tag for manifest in releases}
    wanted = [_wanted(service, manifest) for manifest in releases]
    named = {unit_hash for manifest in known.manifests for unit_hash in unit_hashes_of(manifest)} - _only_pending(known)
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
    return ([*pending, *mine], compatible, []) if is_pending else (mine, compatible, pending)


def _only_pending(known: Registry) -> set[str]:
    """The unit hashes that the pending release names and the current one does not."""
    current = (unit_hashes_of(manifest) for manifest in known.manifests if manifest.tag == known.current)
    return unit_hashes_of(known.pending).difference(*current) if known.pending else set()


def _wanted(service: str, manifest: Release) -> set[str]:
    """The unit hashes that serve *service* in a release. A name that is not one of its services may be registered by
    any of them."""
    release = manifest.services.get(service)
    return {release.unit_hash} if release else unit_hashes_of(manifest)


def _instances(entries: Iterable[Registration], own: bool) -> tuple[Instance, ...]:
    return tuple(Instance(entry, own) for entry in entries)


def refusal(service: str, there: Sequence[Registration], caller: Caller, known: Registry) -> str:
    """The error message for *caller*; *there* are the registrations of *service* that it may not use."""
    tags = [manifest.tag for manifest in releases_of(caller, known)]
    who = caller.name or "a caller outside of any unit"
    release = f"release {' and '.join(tags)}" if tags else "no release yet"
    refused = f"{service} is not available to {who} ({release})"
    if there:
        shown = "; ".join(_described(entry, known) for entry in there[:_SHOWN])
        more = f"; and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        tag = tags[0] if tags else "TAG"
        return (
            f"{refused}. Registered: {shown}{more}{_failing(service, known)}. Deploy {service} in that release too, "
            f'or, if it can serve that release, declare versions=["{tag}"] where {service} is registered.'
        )
    draining = [entry for entry in known.registrations if entry.service == service]
    if any(entry.maintenance for entry in draining):
        return (
            f"{refused}: it is under maintenance, so its {len(draining)} registered instances are out of discovery. "
            f"`captain maintenance off {service}` ends that."
        )
    failing = _failing(service, known)
    if failing:
        return (
            f"{refused}: none of its {len(draining)} registered instances can be used{failing}. Look at its log with "
            f"`journalctl -u '{service}*'` on its machines."
        )
    if draining:
        return f"{refused}: all {len(draining)} registered instances are draining. Wait for its next generation."
    others = sorted({entry.service for entry in known.registrations})
    registered = f"registered: {', '.join(others)}" if others else "nothing is registered"
    return (
        f"{refused}: it has no registered instance ({registered}). Check the name, and that it is deployed and ready."
    )


def _failing(service: str, known: Registry) -> str:
    """The registered instances of *service* whose alive checks fail, to follow a list of others; "" for none."""
    found = known.failing(service)
    if found is None:
        return ""
    shown = "; ".join(f"{entry.unit} (its alive check fails: {entry.failing})" for entry in found.instances[:_SHOWN])
    more = f"; and {len(found.instances) - _SHOWN} more" if len(found.instances) > _SHOWN else ""
    why = f"; {found.explanation}" if found.explanation else ""
    return f"; failing: {shown}{more}{why}"


def _described(entry: Registration, known: Registry) -> str:
    tags = [manifest.tag for manifest in known.manifests if entry.unit_hash in unit_hashes_of(manifest)]
    of = f"of release {', '.join(sorted(tags))}" if tags else "of no release"
    also = f", also serves {', '.join(entry.versions)}" if entry.versions else ""
    return f"{entry.unit} (unit hash {entry.unit_hash[:_DIGITS] or 'unknown'} {of}{also})"
