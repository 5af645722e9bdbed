"""The documents in etcd as frozen values: registrations and release manifests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from fleetcaptain.discovery.keys import registration_key, release_key
from fleetcaptain.image_reference import RECORDED
from fleetcaptain.mode import Mode
from fleetcaptain.schedule.window import MOST_WINDOWS, WindowSpec
from fleetcaptain.untrusted import ANY, NAME, WORD, Fields, Unreadable, json_object

__all__ = ["Registration", "Release", "ServiceRelease", "drained", "manifest_at", "registration_at"]

_NO_PORTS: Mapping[str, int] = MappingProxyType({})
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+@-]{0,254}")
_MODE = re.compile("|".join(Mode))
_SCHEME = re.compile("tcp|https?")
_SHARE = re.compile("[0-9]{1,3}%")
_SETTING = re.compile("[a-z_]{1,40}")
_MOST_INSTANCES = 100
# A service that runs on every machine has as many instances as there are machines.
_MOST_MACHINES = 10_000
_LONGEST_SEC = 7 * 24 * 3600
# etcd itself takes 1.5 MiB; a service takes some 400 bytes.
_LONGEST_MANIFEST = 2**20


@dataclass(frozen=True)
class Registration:
    """The registration of one ready instance.

    *unit_hash* is the SHA1 of its unit's text, *machine* the machine's id, *host* its address, *ports* maps the
    container's ports to the host's. *draining*: it still answers but is about to stop; lookups leave it out.
    *failing*: why its alive check fails; it is then draining too. *maintenance*: its service is under maintenance; it
    is then draining too, and goes on running.
    *lease*: who renews it: "" the machine agent (the unit wrote it), ``app`` the app (the app wrote it), ``beacon``
    the machine agent (the app wrote it; the word is from earlier versions).
    """

    service: str
    unit: str
    unit_hash: str
    machine: str
    host: str
    ports: Mapping[str, int] = field(default_factory=lambda: _NO_PORTS)
    connection: Mapping[str, Any] = field(default_factory=dict)
    versions: tuple[str, ...] = ()
    since: str = ""
    draining: bool = False
    failing: str = ""
    lease: str = ""
    maintenance: bool = False

    @property
    def withdrawn(self) -> bool:
        """Whether a rollout does not count it: it is draining, and not for the maintenance of its service alone."""
        return self.draining and not self.maintenance

    @property
    def without_agents_mark(self) -> Registration:
        """As it was before the machine agent marked it, because its alive check fails or for maintenance."""
        marked = self.failing or self.maintenance
        return replace(self, draining=False, failing="", maintenance=False) if marked else self

    @classmethod
    def from_json(cls, text: str) -> Registration:
        """Parse *text*. Raises Unreadable.

        The same text gives the same object: few of many registrations change between two lookups.
        """
        return _parsed(text)


@lru_cache(maxsize=2048)
def _parsed(text: str) -> Registration:
    fields = json_object(text)
    ports = fields.fields("ports")
    return Registration(
        service=fields.text("service", NAME),
        unit=fields.text("unit", NAME),
        unit_hash=fields.text("content", NAME, ""),
        machine=fields.text("machine", NAME, ""),
        host=fields.text("host", NAME, ""),
        ports=MappingProxyType({inside: ports.number(inside, 1, 65535) for inside in ports}),
        connection=MappingProxyType(fields.mapping("connection")),
        versions=fields.texts("versions"),
        since=fields.text("since", WORD, ""),
        draining=fields.flag("draining"),
        failing=fields.text("failing", ANY, ""),
        lease=fields.text("lease", WORD, ""),
        maintenance=fields.flag("maintenance"),
    )


def registration_at(key: str, text: str) -> Registration:
    """Parse the registration at *key*. Raises Unreadable, also when its service or unit is not the key's."""
    found = Registration.from_json(text)
    own = registration_key(_app_of(key), found.service, found.unit)
    if key not in (own, f"{own}~{found.machine}"):
        raise Unreadable(f"it is the registration of {found.unit} for {found.service}")
    return found


def drained(text: str) -> str:
    """The registration *text*, marked so that lookups leave it out. Raises Unreadable.

    Its beginning does not change: the machine agent recognizes the owner by it. ``failing`` and ``maintenance`` are
    removed: the agent takes such a mark back, with ``draining``, when its reason is gone.
    """
    kept = {name: value for name, value in json_object(text).items() if name not in ("failing", "maintenance")}
    return json.dumps({**kept, "draining": True}, separators=(",", ":"))


@dataclass(frozen=True)
class ServiceRelease:
    """One service in a release: its *unit_hash*, how many instances must have it (*count*), and their *image*.

    A rollback also needs how it is replaced (*mode*, and the times of its *rollout* in seconds), the services that it
    *requires*, the *scheme* of its URLs, its *windows*, in which it has more instances, and the service that it was
    *renamed_from* ("": none).
    """

    unit_hash: str
    count: int
    image: str = ""
    mode: Mode = Mode.ROLLING
    rollout: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    scheme: str = "tcp"
    windows: tuple[WindowSpec, ...] = ()
    renamed_from: str = ""

    def to_data(self) -> dict[str, Any]:
        """The entry in a manifest's JSON."""
        windows = {"windows": [window.to_data() for window in self.windows]} if self.windows else {}
        renamed = {"renamed_from": self.renamed_from} if self.renamed_from else {}
        return {
            "content": self.unit_hash,
            "instances": self.count,
            "image": self.image,
            "mode": self.mode.value,
            "rollout": dict(self.rollout),
            "requires": list(self.requires),
            "scheme": self.scheme,
            **windows,
            **renamed,
        }

    @classmethod
    def read(cls, fields: Fields) -> ServiceRelease:
        """Parse an entry of a manifest. Raises Unreadable."""
        mode = Mode(fields.text("mode", _MODE, Mode.ROLLING))
        return cls(
            unit_hash=fields.text("content", NAME),
            count=fields.number("instances", 0, _MOST_MACHINES if mode is Mode.PER_MACHINE else _MOST_INSTANCES),
            image=fields.text("image", RECORDED, ""),
            mode=mode,
            rollout=_rollout(fields.mapping("rollout")),
            requires=fields.texts("requires", NAME),
            scheme=fields.text("scheme", _SCHEME, "tcp"),
            windows=_windows(fields),
            renamed_from=fields.text("renamed_from", NAME, ""),
        )


def _windows(fields: Fields) -> tuple[WindowSpec, ...]:
    found = tuple(map(WindowSpec.from_data, fields.objects("windows")))
    if len(found) > MOST_WINDOWS or len({window.name for window in found}) < len(found):
        raise Unreadable(f"windows: there are more than {MOST_WINDOWS}, or two with one name")
    return found


def _rollout(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Validate a rollout's settings: numbers, flags, and a share (``25%``) for ``max_parallel``. Raises Unreadable."""
    for name, value in settings.items():
        is_number = isinstance(value, (int, float)) and 0 <= value <= _LONGEST_SEC
        is_share = name == "max_parallel" and isinstance(value, str) and _SHARE.fullmatch(value)
        if not _SETTING.fullmatch(name) or not (is_number or is_share):
            raise Unreadable(f"rollout: {name!r} is not a time or a number from 0 to {_LONGEST_SEC}, or a share")
    return settings


@dataclass(frozen=True)
class Release:
    """A release: its *tag*, its services, *who* deployed it and *when* (ISO 8601, UTC).

    *unfinished*: it has never been available as a whole, so lookups ignore it.
    """

    tag: str
    services: Mapping[str, ServiceRelease]
    who: str = ""
    when: str = ""
    unfinished: bool = False

    def to_json(self) -> str:
        """The JSON that etcd stores; the same services always give the same text."""
        services = {name: release.to_data() for name, release in sorted(self.services.items())}
        mark = {"unfinished": True} if self.unfinished else {}
        return json.dumps({"tag": self.tag, "who": self.who, "when": self.when, **mark, "services": services})

    @classmethod
    def from_json(cls, text: str) -> Release:
        """Parse *text*. Raises Unreadable."""
        fields = json_object(text, _LONGEST_MANIFEST)
        services = fields.fields("services")
        return cls(
            fields.text("tag", _TAG),
            {_name(service): ServiceRelease.read(services.fields(service)) for service in services},
            fields.text("who", ANY, ""),
            fields.text("when", WORD, ""),
            fields.flag("unfinished"),
        )

    @property
    def unit_hashes(self) -> dict[str, str]:
        """Service -> unit hash. Two releases are the same if these are equal."""
        return {name: release.unit_hash for name, release in self.services.items()}


def manifest_at(key: str, text: str) -> Release:
    """Parse the manifest at *key*. Raises Unreadable, also when its tag is not the key's."""
    found = Release.from_json(text)
    if key != release_key(_app_of(key), found.tag):
        raise Unreadable(f"it is the manifest of {found.tag}")
    return found


def _app_of(key: str) -> str:
    return key.split("/")[2] if key.count("/") > 1 else ""


def _name(service: str) -> str:
    if not NAME.fullmatch(service):
        raise Unreadable("a service has a name that is not allowed")
    return service
