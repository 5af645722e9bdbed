"""Dependents: services that require an old generation of a service and block its removal."""

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
    """The generation that replaces an old one: its *unit_hash*, and the other releases that it declares to serve."""

    unit_hash: str
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dependent:
    """A *service* whose live instances *units*, of the release *tag*, require the old generation."""

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
    """The services that depend on *service* with one of *unit_hashes*, which are to be removed. *manifests*: oldest
    first.

    An instance depends on it if, in the newest release with the instance's unit hash, its service requires *service*
    and *service* has one of *unit_hashes*. It does not if any release has its unit hash together with the successor's,
    or if the successor declares to serve a release of it.
    """
    manifests = tuple(manifests)
    found: dict[tuple[str, str], set[str]] = {}
    for entry in registrations:
        if entry.service == service or entry.withdrawn:
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


def format_dependents(service: str, found: Iterable[Dependent], *, replaced: bool = True) -> str:
    """Which services block the removal of units of *service*, and when they are removed. *replaced*: the units are an
    old generation, and a new one takes their place."""
    found = tuple(found)
    who = "; ".join(f"{one.service} ({', '.join(one.units)}) of release {one.tag}" for one in found)
    what = f"the old generation of {service}" if replaced else service
    message = f"{what} is still required by {who}. It is removed when they run a release that does not require it"
    if not replaced:
        return message
    tags = ", ".join(f'"{tag}"' for tag in dict.fromkeys(one.tag for one in found))
    return f"{message}, or when the new generation declares versions=[{tags}]"


def blocked_by(
    cluster: Cluster, snapshot: Snapshot, service: str, units: Iterable[str], successor: str | None, *, but: str = ""
) -> str:
    """The message that names the dependents of *units* of *service*; empty if the units can be removed.

    *successor* is the unit hash of the generation that replaces them, None if there is none. Dependents of the release
    *but* do not count.
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
    found = tuple(dependent for dependent in found if dependent.tag != but)
    return format_dependents(service, found, replaced=successor is not None) if found else ""
