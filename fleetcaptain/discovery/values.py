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
    """One service in a release: its *content*, how many instances must carry it, and the *image* they run.

    What going back needs besides: how it is replaced (*mode*, and the times of its *rollout* in seconds), the services
    that it *requires*, and the *scheme* of its URLs.
    """

    content: str
    count: int
    image: str = ""
    mode: str = "rolling"
    rollout: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    scheme: str = "tcp"

    def to_data(self) -> dict[str, Any]:
        """The entry in a manifest's JSON."""
        return {
            "content": self.content,
            "instances": self.count,
            "image": self.image,
            "mode": self.mode,
            "rollout": dict(self.rollout),
            "requires": list(self.requires),
            "scheme": self.scheme,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Release:
        """The service that an entry of a manifest's JSON is. Raises KeyError or ValueError when it is none."""
        return cls(
            content=str(data["content"]),
            count=int(data["instances"]),
            image=str(data.get("image", "")),
            mode=str(data.get("mode", "rolling")),
            rollout=dict(data.get("rollout", {})),
            requires=tuple(data.get("requires", ())),
            scheme=str(data.get("scheme", "tcp")),
        )


@dataclass(frozen=True)
class Manifest:
    """What a release is made of: its *tag*, its services, *who* made it and *when* (ISO 8601, UTC).

    *unfinished*: it has never been available as a whole, so lookups do not count with it.
    """

    tag: str
    services: Mapping[str, Release]
    who: str = ""
    when: str = ""
    unfinished: bool = False

    def to_json(self) -> str:
        """The text kept in etcd; the same services always give the same text."""
        services = {name: release.to_data() for name, release in sorted(self.services.items())}
        mark = {"unfinished": True} if self.unfinished else {}
        return json.dumps({"tag": self.tag, "who": self.who, "when": self.when, **mark, "services": services})

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest that *text* is. Raises ValueError or KeyError when it is none."""
        data = json.loads(text)
        services = {name: Release.from_data(entry) for name, entry in data["services"].items()}
        return cls(data["tag"], services, data.get("who", ""), data.get("when", ""), bool(data.get("unfinished")))

    @classmethod
    def read(cls, text: str) -> Manifest | None:
        """The manifest that *text* is, or None when it is none."""
        try:
            return cls.from_json(text)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    @property
    def contents(self) -> dict[str, str]:
        """Service -> its content: by this, and nothing else, two releases are the same."""
        return {name: release.content for name, release in self.services.items()}
