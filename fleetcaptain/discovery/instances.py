"""The values of a lookup: who asks, what is known, and the instances that the answer is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetcaptain.discovery.documents import Registration, Release
from fleetcaptain.untrusted import Ignored, port_number

__all__ = ["Caller", "Instance", "Registry", "releases_of", "unit_hashes_of"]


@dataclass(frozen=True)
class Caller:
    """Who looks a service up: the *unit_hash* of its unit, "" outside of any; *name* is for messages."""

    unit_hash: str = ""
    name: str = ""


@dataclass(frozen=True)
class Registry:
    """What etcd knows of an app at one moment. *manifests* are those of the releases that have been available.

    *current* is the tag of the current release, "" before there is one; *pending*, the one that is being deployed: a
    new one, which is not among *manifests* yet, or an old one that is gone back to. *ignored* are the values that are
    neither a registration nor a manifest.
    """

    registrations: tuple[Registration, ...] = ()
    manifests: tuple[Release, ...] = ()
    current: str = ""
    pending: Release | None = None
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True)
class Instance:
    """One instance that can be used.

    *own*: it is of the asker's own release; else it is of another one, and is usable since it lists the asker's release
    in its *versions*, or since there is nothing else.
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
        """All that was registered about how to reach it."""
        return self.registration.connection

    @property
    def host(self) -> str:
        """Where it answers: the host of its connection, or else its machine's address."""
        return str(self.connection.get("host") or self.registration.host)

    @property
    def port(self) -> int | None:
        """The port of its connection. None: there is none, or it is no number from 1 to 65535."""
        return port_number(self.connection.get("port")) or None

    @property
    def address(self) -> str:
        """``host:port``, or the host alone."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def versions(self) -> tuple[str, ...]:
        """The releases that it serves besides its own."""
        return self.registration.versions


def releases_of(asker: Caller, known: Registry) -> tuple[Release, ...]:
    """The releases that name the asker's content, the current one first, then the youngest. Without a content: the
    current one.

    An asker of the release that is only coming is of that one first, and then of the current one, from which it may
    have taken over what did not change, or which goes on until its turn comes.
    """
    mine = [
        manifest
        for manifest in known.manifests
        if (asker.unit_hash in unit_hashes_of(manifest) if asker.unit_hash else manifest.tag == known.current)
    ]
    mine.sort(key=lambda manifest: (manifest.tag == known.current, manifest.when), reverse=True)
    pending = known.pending
    if (
        pending is None
        or asker.unit_hash not in unit_hashes_of(pending)
        or any(one.tag == known.current for one in mine)
    ):
        return tuple(mine)
    current = [manifest for manifest in known.manifests if manifest.tag == known.current]
    return (pending, *(manifest for manifest in mine if manifest.tag != pending.tag), *current)


def unit_hashes_of(manifest: Release) -> set[str]:
    """The contents of all services of a release."""
    return {release.unit_hash for release in manifest.services.values()}
