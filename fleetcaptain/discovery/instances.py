"""The values of a lookup: who asks, what is known, and the instances that the answer is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetcaptain.discovery.values import Manifest, Registration

__all__ = ["Asker", "Instance", "Known", "contents_of", "releases_of"]


@dataclass(frozen=True)
class Asker:
    """Who looks a service up: the *content* of its unit, "" outside of any; *name* is for messages."""

    content: str = ""
    name: str = ""


@dataclass(frozen=True)
class Known:
    """What etcd knows of an app at one moment. *current* is the tag of the current release, "" before there is one."""

    registrations: tuple[Registration, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    current: str = ""


@dataclass(frozen=True)
class Instance:
    """One instance that can be used.

    *host* and *port* are where it answers (*port* None: nowhere), *connection* is all that was registered about that,
    *ports* maps the container's ports to the host's. *own*: it is of the asker's own release; else it is of another
    one, and is usable since it lists the asker's release in *versions*, or since there is nothing else. *since* is
    ISO 8601, UTC.
    """

    service: str
    unit: str
    host: str
    port: int | None
    own: bool
    connection: Mapping[str, Any]
    ports: Mapping[str, int]
    versions: tuple[str, ...]
    content: str
    machine: str
    since: str

    @classmethod
    def of(cls, entry: Registration, own: bool) -> Instance:
        """The instance that registered *entry*. A port that is no number is none; it stays in *connection*."""
        port = str(entry.connection.get("port") or "")
        return cls(
            service=entry.service,
            unit=entry.unit,
            host=str(entry.connection.get("host") or entry.host),
            port=int(port) if port.isascii() and port.isdigit() else None,
            own=own,
            connection=entry.connection,
            ports=entry.ports,
            versions=entry.versions,
            content=entry.content,
            machine=entry.machine,
            since=entry.since,
        )

    @property
    def address(self) -> str:
        """``host:port``, or the host alone."""
        return self.host if self.port is None else f"{self.host}:{self.port}"


def releases_of(asker: Asker, known: Known) -> tuple[Manifest, ...]:
    """The releases that name the asker's content, the current one first, then the youngest. Without a content: the
    current one."""
    mine = [
        manifest
        for manifest in known.manifests
        if (asker.content in contents_of(manifest) if asker.content else manifest.tag == known.current)
    ]
    mine.sort(key=lambda manifest: (manifest.tag == known.current, manifest.when), reverse=True)
    return tuple(mine)


def contents_of(manifest: Manifest) -> set[str]:
    """The contents of all services of a release."""
    return {release.content for release in manifest.services.values()}
