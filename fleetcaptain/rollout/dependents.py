"""Which services still depend on an old generation of a service, and so block its removal."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fleetcaptain.discovery.documents import Registration, Release
from fleetcaptain.release.repository import read_manifests
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observe import Snapshot

__all__ = ["Dependent", "Successor", "blocked_by", "dependents", "format_dependents"]


@dataclass(frozen=True)
class Successor:
    """What takes an old generation's place: its *unit_hash*, and the releases that it declares to serve too."""

    unit_hash: str
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dependent:
    """A *service* whose live instances *units*, of the release *tag*, depend on the generation that is to go."""

    service: str
    tag: str
    units: tuple[str, ...]


def dependents(
    service: str,
    unit_hashes: Collection[str],
    successor: Successor | None,
    registrations: Iterable[Registration],
    manifests: Iterable[Release],
) -> tuple[Dependent, ...]:
    """Who depends on *service* with one of *unit_hashes*, which are to be removed. *manifests*: the oldest first.

    An instance does when the youngest release that names its content says that its service requires *service*, and
    names one of *unit_hashes* for that. It does not when some release names its unit hash together with the
    successor's, or when the successor declares to serve a release of it.
    """
    manifests = tuple(manifests)
    found: dict[tuple[str, str], set[str]] = {}
    for entry in registrations:
        if entry.service == service or entry.draining:
            continue
        mine = [manifest for manifest in manifests if manifest.unit_hashes.get(entry.service) == entry.unit_hash]
        if successor and any(
            manifest.unit_hashes.get(service) == successor.unit_hash or manifest.tag in successor.versions
            for manifest in mine
        ):
            continue
        for youngest in mine[-1:]:
            required = service in youngest.services[entry.service].requires
            if required and youngest.unit_hashes.get(service) in unit_hashes:
                found.setdefault((entry.service, youngest.tag), set()).add(entry.unit)
    return tuple(Dependent(name, tag, tuple(sorted(units))) for (name, tag), units in sorted(found.items()))


def format_dependents(service: str, found: Iterable[Dependent]) -> str:
    """Who holds an old generation of *service*, and what lets it go."""
    found = tuple(found)
    who = "; ".join(f"{holder.service} ({', '.join(holder.units)}) of release {holder.tag}" for holder in found)
    tags = ", ".join(f'"{tag}"' for tag in dict.fromkeys(holder.tag for holder in found))
    return (
        f"who still depend on the old generation of {service}: {who}. It goes when they are of a release that does "
        f"without it, or when the new one declares versions=[{tags}]"
    )


def blocked_by(
    cluster: Cluster, snapshot: Snapshot, service: str, units: Iterable[str], successor: str | None, *, but: str = ""
) -> str:
    """Who still depends on *units* of *service*, in words; empty when they may go.

    *successor* is the content of the generation that takes their place; None: nothing does. Those of the release *but*
    do not count.
    """
    unit_hashes = {snapshot.units[name].unit_hash for name in units if name in snapshot.units}
    versions = {
        version
        for entry in snapshot.live
        if entry.service == service and entry.unit_hash == successor
        for version in entry.versions
    }
    following = Successor(successor, tuple(sorted(versions))) if successor is not None else None
    manifests = read_manifests(cluster.store, cluster.app)
    found = dependents(service, unit_hashes, following, snapshot.live, manifests)
    found = tuple(holder for holder in found if holder.tag != but)
    return format_dependents(service, found) if found else ""
