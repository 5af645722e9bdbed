"""What is written in etcd, as frozen values: registrations and release manifests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

__all__ = ["Manifest", "Registration", "Release", "drained"]

_NO_PORTS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Registration:
    """One instance that says that it is ready.

    *content* is the SHA1 of its unit's text, *machine* the machine's id, *host* its address, *ports* maps the
    container's ports to the host's. *draining*: it still answers, and is about to go; lookups leave it out.
    *lease*: who renews it; "" its machine's beacon as the unit wrote it, ``app`` the app that wrote it, ``beacon`` the
    beacon for the app that wrote it.
    """

    service: str
    unit: str
    content: str
    machine: str
    host: str
    ports: Mapping[str, int] = field(default_factory=lambda: _NO_PORTS)
    connection: Mapping[str, Any] = field(default_factory=dict)
    versions: tuple[str, ...] = ()
    since: str = ""
    draining: bool = False
    lease: str = ""

    @classmethod
    def from_json(cls, text: str) -> Registration | None:
        """The registration that *text* is, or None when it is none: lookups leave out what they cannot read.

        The same text gives the same object: of many registrations few change between two lookups.
        """
        return _parsed(text)


@lru_cache(maxsize=2048)
def _parsed(text: str) -> Registration | None:
    try:
        data = json.loads(text)
        return Registration(
            service=str(data["service"]),
            unit=str(data["unit"]),
            content=str(data.get("content", "")),
            machine=str(data.get("machine", "")),
            host=str(data.get("host", "")),
            ports=MappingProxyType({str(inside): int(outside) for inside, outside in data.get("ports", {}).items()}),
            connection=MappingProxyType(dict(data.get("connection", {}))),
            versions=tuple(str(version) for version in data.get("versions", ())),
            since=str(data.get("since", "")),
            draining=bool(data.get("draining", False)),
            lease=str(data.get("lease", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def drained(text: str) -> str:
    """The registration *text*, marked so that lookups leave it out. Raises ValueError when it is no JSON.

    Its beginning stays as it was: by it the machine's shell lines know whose registration it is.
    """
    return json.dumps({**json.loads(text), "draining": True}, separators=(",", ":"))


@dataclass(frozen=True)
class Release:
    """One service in a release: its *content*, how many instances must carry it, and the *image* they run."""

    content: str
    count: int
    image: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a release is made of: its *tag*, its services, *who* made it and *when* (ISO 8601, UTC)."""

    tag: str
    services: Mapping[str, Release]
    who: str = ""
    when: str = ""

    def to_json(self) -> str:
        """The text kept in etcd; the same services always give the same text."""
        services = {
            name: {"content": release.content, "instances": release.count, "image": release.image}
            for name, release in sorted(self.services.items())
        }
        return json.dumps({"tag": self.tag, "who": self.who, "when": self.when, "services": services})

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest that *text* is. Raises ValueError or KeyError when it is none."""
        data = json.loads(text)
        services = {
            name: Release(entry["content"], int(entry["instances"]), entry.get("image", ""))
            for name, entry in data["services"].items()
        }
        return cls(data["tag"], services, data.get("who", ""), data.get("when", ""))
