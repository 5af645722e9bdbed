"""Is a release available? A pure question about registrations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleetcaptain.discovery.values import Manifest, Registration, Release

__all__ = ["Lack", "endpoints", "lacks", "serving"]


@dataclass(frozen=True)
class Lack:
    """A *service* of which *wanted* registrations are needed and *found* are there."""

    service: str
    content: str
    wanted: int
    found: int

    def __str__(self) -> str:
        return f"{self.service}: {self.found} of {self.wanted} instances registered"


def serving(
    service: str, release: Release, tag: str, registrations: Iterable[Registration]
) -> tuple[Registration, ...]:
    """The registrations of *service* that serve the release *tag*: the same content, or the tag in their versions."""
    return tuple(
        registration
        for registration in registrations
        if registration.service == service
        and not registration.draining
        and (registration.content == release.content or tag in registration.versions)
    )


def lacks(manifest: Manifest, registrations: Iterable[Registration]) -> tuple[Lack, ...]:
    """What the release still lacks, one entry per service that is not available; empty when it is available."""
    known = tuple(registrations)
    missing = []
    for service, release in sorted(manifest.services.items()):
        found = len(serving(service, release, manifest.tag, known))
        if found < release.count:
            missing.append(Lack(service, release.content, release.count, found))
    return tuple(missing)


def endpoints(
    manifest: Manifest, registrations: Iterable[Registration], schemes: Mapping[str, str]
) -> dict[str, list[str]]:
    """Service -> the URLs at which its instances answer, sorted by unit. Services without a port have no entry.

    *schemes* maps a service to the scheme of its URLs (``http``, ``tcp``).
    """
    known = sorted(registrations, key=lambda registration: registration.unit)
    urls: dict[str, list[str]] = {}
    for service, release in sorted(manifest.services.items()):
        for registration in serving(service, release, manifest.tag, known):
            port = registration.connection.get("port")
            if port:
                host = registration.connection.get("host", registration.host)
                urls.setdefault(service, []).append(f"{schemes.get(service, 'tcp')}://{host}:{port}")
    return urls
