"""The values of a lookup: who asks, what is known, and the instances that the answer is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetcaptain.discovery.documents import Manifest, Registration
from fleetcaptain.untrusted import Ignored, port_number

__all__ = ["Asker", "Instance", "Known", "contents_of", "releases_of"]


@dataclass(frozen=True)
class Asker:
    """Who looks a service up: the *content* of its unit, "" outside of any; *name* is for messages."""

    content: str = ""
    name: str = ""


@dataclass(frozen=True)
class Known:
    """What etcd knows of an app at one moment. *manifests* are those of the releases that have been available.

    *current* is the tag of the current release, "" before there is one; *coming*, the one that is being deployed: a new
    one, which is not among *manifests* yet, or an old one that is gone back to. *ignored* are the values that are
    neither a registration nor a manifest.
    """

    registrations: tuple[Registration, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    current: str = ""
    coming: Manifest | None = None
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


def releases_of(asker: Asker, known: Known) -> tuple[Manifest, ...]:
    """The releases that name the asker's content, the current one first, then the youngest. Without a content: the
    current one.

    An asker of the release that is only coming is of that one first, and then of the current one, from which it may
    have taken over what did not change, or which goes on until its turn comes.
    """
    mine = [
        manifest
        for manifest in known.manifests
        if (asker.content in contents_of(manifest) if asker.content else manifest.tag == known.current)
    ]
    mine.sort(key=lambda manifest: (manifest.tag == known.current, manifest.when), reverse=True)
    coming = known.coming
    if coming is None or asker.content not in contents_of(coming) or any(one.tag == known.current for one in mine):
        return tuple(mine)
    current = [manifest for manifest in known.manifests if manifest.tag == known.current]
    return (coming, *(manifest for manifest in mine if manifest.tag != coming.tag), *current)


def contents_of(manifest: Manifest) -> set[str]:
    """The contents of all services of a release."""
    return {release.content for release in manifest.services.values()}
