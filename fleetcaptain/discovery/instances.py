"""The values of a lookup: the caller, the registry, and the instances found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetcaptain.discovery.documents import Registration, Release
from fleetcaptain.discovery.failing_instances import FailingService, failing_services
from fleetcaptain.untrusted import Ignored, port_number

__all__ = ["Caller", "Instance", "Registry", "releases_of", "unit_hashes_of"]


@dataclass(frozen=True)
class Caller:
    """The caller of a lookup: the *unit_hash* of its unit, "" outside of any unit; *name* is for messages."""

    unit_hash: str = ""
    name: str = ""


@dataclass(frozen=True)
class Registry:
    """An app's keys in etcd at one moment. *manifests* are those of the releases that have been available.

    *current* is the tag of the current release, "" before the first one. *pending* is the release that is being
    deployed: a new one, which is not among *manifests* yet, or an old one in a rollback. *ignored* are values that are
    neither a registration nor a manifest.
    """

    registrations: tuple[Registration, ...] = ()
    manifests: tuple[Release, ...] = ()
    current: str = ""
    pending: Release | None = None
    ignored: tuple[Ignored, ...] = ()

    def failing(self, service: str) -> FailingService | None:
        """*service*, if alive checks of its instances, of any release, fail."""
        return next((found for found in failing_services(self.registrations) if found.service == service), None)


@dataclass(frozen=True)
class Instance:
    """One instance that the caller may use.

    *own*: it belongs to the caller's own release. Otherwise it belongs to another one and lists the caller's release in
    its *versions*, or no other instance exists.
    """

    registration: Registration
    own: bool

    @property
    def service(self) -> str:
        """The service that it serves."""
        return self.registration.service

    @property
    def unit(self) -> str:
        """The unit that it runs as."""
        return self.registration.unit

    @property
    def connection(self) -> Mapping[str, Any]:
        """The registered connection: how to reach it."""
        return self.registration.connection

    @property
    def host(self) -> str:
        """The host of its connection, else its machine's address."""
        return str(self.connection.get("host") or self.registration.host)

    @property
    def port(self) -> int | None:
        """The port of its connection; None if missing or not a number from 1 to 65535."""
        return port_number(self.connection.get("port")) or None

    @property
    def address(self) -> str:
        """``host:port``, or the host alone."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def versions(self) -> tuple[str, ...]:
        """Further releases that it serves."""
        return self.registration.versions


def releases_of(caller: Caller, known: Registry) -> tuple[Release, ...]:
    """The releases that name the caller's unit hash, the current one first, then the newest. Without a hash: the
    current one.

    A caller that only the pending release names belongs to that one first, then to the current one: services that did
    not change, or whose rollout has not begun, are still of the current one.
    """
    mine = [
        manifest
        for manifest in known.manifests
        if (caller.unit_hash in unit_hashes_of(manifest) if caller.unit_hash else manifest.tag == known.current)
    ]
    mine.sort(key=lambda manifest: (manifest.tag == known.current, manifest.when), reverse=True)
    pending = known.pending
    if (
        pending is None
        or caller.unit_hash not in unit_hashes_of(pending)
        or any(one.tag == known.current for one in mine)
    ):
        return tuple(mine)
    current = [manifest for manifest in known.manifests if manifest.tag == known.current]
    return (pending, *(manifest for manifest in mine if manifest.tag != pending.tag), *current)


def unit_hashes_of(manifest: Release) -> set[str]:
    """The unit hashes of all services of a release."""
    return {release.unit_hash for release in manifest.services.values()}
