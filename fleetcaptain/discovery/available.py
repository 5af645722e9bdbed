"""Decides from registrations whether a release is available. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from fleetcaptain.discovery.documents import Registration, Release, ServiceRelease
from fleetcaptain.untrusted import port_number

__all__ = ["Lack", "endpoints", "lacks", "serving"]

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# A name that ends in a number would be read as an IPv4 address.
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*(?![0-9]+$){_LABEL}")


@dataclass(frozen=True)
class Lack:
    """A *service* with too few registrations: *found* of *wanted*."""

    service: str
    unit_hash: str
    wanted: int
    found: int

    def __str__(self) -> str:
        return f"{self.service}: {self.found} of {self.wanted} instances registered"


def serving(
    service: str, release: ServiceRelease, tag: str, registrations: Iterable[Registration]
) -> tuple[Registration, ...]:
    """The registrations of *service* that serve the release *tag*: same unit hash, or the tag in their versions."""
    return tuple(entry for entry in _of_release(service, release, tag, registrations) if not entry.draining)


def _of_release(
    service: str, release: ServiceRelease, tag: str, registrations: Iterable[Registration]
) -> tuple[Registration, ...]:
    """As `serving`, with those that would serve it if their service were not under maintenance."""
    return tuple(
        registration
        for registration in registrations
        if registration.service == service
        and not registration.withdrawn
        and (registration.unit_hash == release.unit_hash or tag in registration.versions)
    )


def lacks(manifest: Release, registrations: Iterable[Registration]) -> tuple[Lack, ...]:
    """The services of the release that are not available yet; empty when the release is available. Maintenance of a
    service does not change that: its instances are ready."""
    known = tuple(registrations)
    missing = []
    for service, release in sorted(manifest.services.items()):
        found = len(_of_release(service, release, manifest.tag, known))
        if found < release.count:
            missing.append(Lack(service, release.unit_hash, release.count, found))
    return tuple(missing)


def endpoints(
    manifest: Release, registrations: Iterable[Registration], schemes: Mapping[str, str]
) -> dict[str, list[str]]:
    """Service -> the URLs of its instances, sorted by unit. Services without a port have no entry. Registrations whose
    host or port is invalid are left out, since an app can register any value.

    *schemes* maps a service to the scheme of its URLs (``http``, ``tcp``).
    """
    known = sorted(registrations, key=lambda registration: registration.unit)
    urls: dict[str, list[str]] = {}
    for service, release in sorted(manifest.services.items()):
        for registration in serving(service, release, manifest.tag, known):
            host = _host(registration.connection.get("host", registration.host))
            port = port_number(registration.connection.get("port"))
            if host and port:
                urls.setdefault(service, []).append(f"{schemes.get(service, 'tcp')}://{host}:{port}")
    return urls


def _host(value: Any) -> str:
    """*value* as the host of a URL; "" when it is no host."""
    if not isinstance(value, str) or "%" in value:
        return ""  # "%" begins the name of a network interface, which has no meaning on another machine
    try:
        address = ip_address(value)
    except ValueError:
        return value if _HOST_NAME.fullmatch(value) else ""
    return str(address) if address.version == 4 else f"[{address}]"  # noqa: PLR2004  IPv4
