"""Releases and registrations made of values."""

from __future__ import annotations

from fleetcaptain.discovery.documents import Registration, Release, ServiceRelease

__all__ = ["live", "release"]


def release(
    tag: str, /, *, unfinished: bool = False, requires: dict[str, str] | None = None, **unit_hashes: str
) -> Release:
    """A release whose services have these contents; *requires* maps a service to the one that it requires."""
    needed = requires or {}
    services = {
        name: ServiceRelease(unit_hash, 1, f"{name}@sha256:1", requires=(needed[name],) if name in needed else ())
        for name, unit_hash in unit_hashes.items()
    }
    return Release(tag, services, "ann@laptop", "2030-01-31T12:00:00+00:00", unfinished)


def live(service: str, unit_hash: str, *versions: str, number: int = 1) -> Registration:
    """The registration of an instance."""
    return Registration(service, f"{service}@{number}.service", unit_hash, "m", "10.0.0.1", versions=versions)
