"""A unit's file as one value: parsed once, where its text enters the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.custom_line import names_image
from fleetcaptain.fleetfile.task import is_task
from fleetcaptain.units.docker import fixed_ports, kept_volumes, written_volumes
from fleetcaptain.units.mark import SECTION, Mark, mark_in
from fleetcaptain.units.unit_text import Option, hash_of, parse, serialize
from fleetcaptain.units.xfleet import FleetRules, rules_of

__all__ = ["Need", "UnitFile", "names_secrets"]

# systemd's default, for a unit that sets none, or not in FleetCaptain's form.
_DEFAULT_LIMIT_SEC = 90
_IMAGE = "IMAGE="
_DIGEST = "SecretDigest"


@dataclass(frozen=True)
class Need:
    """What the unit *name* requires of its machine. *metadata* maps a key to the accepted values; *ports* are fixed
    ports of the machine, as ``80/tcp``."""

    name: str
    machine_id: str = ""
    machine_of: tuple[str, ...] = ()
    metadata: Mapping[str, frozenset[str]] | None = None
    conflicts: tuple[str, ...] = ()
    ports: frozenset[str] = frozenset()


@dataclass(frozen=True)
class UnitFile:
    """The *options* of a unit, in fleet's order. Derived values are computed once.

    A unit has a separate line for the image, ``Environment=IMAGE=<ref>``, the first of [Service]. The docker lines use
    ``${IMAGE}``, so the rest of the file is known, and can be compared, before the image is built. It has a line for
    each of its secrets, ``SecretDigest=<name> <digest>``, which is as separate, so that another value is another unit.
    """

    options: tuple[Option, ...]

    @classmethod
    def parse(cls, text: str) -> UnitFile:
        """The file with this *text*. Raises UnitRefused for text that fleet cannot read."""
        return cls(parse(text))

    @property
    def text(self) -> str:
        """Its canonical text; a comment if fleet's API accepted options that no file can contain."""
        return self._written[0]

    @property
    def unwritable(self) -> tuple[str, ...]:
        """Why no file can contain these options; empty if one can."""
        return self._written[1]

    @cached_property
    def _written(self) -> tuple[str, tuple[str, ...]]:
        try:
            return serialize(self.options), ()
        except UnitRefused as error:
            return f"# {' '.join(str(error).split())}\n", tuple(error.problems)

    @cached_property
    def unit_hash(self) -> str:
        """The SHA1 that fleet computes over its text, in hex."""
        return hash_of(self.text)

    @cached_property
    def mark(self) -> Mark | None:
        """The mark of its owner; None if it has none."""
        return mark_in(self.options)

    def last(self, name: str) -> str:
        """The effective value of [Service] *name*, the last one; "" if there is none."""
        values = [option.value for option in self.options if (option.section, option.name) == ("Service", name)]
        return values[-1] if values else ""

    @property
    def is_task(self) -> bool:
        """Whether it is the unit of a task."""
        return is_task(self._pairs("Service"))

    @property
    def task(self) -> str:
        """The task that a deployment runs by it; "" for the unit of a service."""
        return self._agent_setting("Task")

    @property
    def periodic(self) -> str:
        """The periodic task that it is a unit of; "" for all others."""
        return self._agent_setting("Periodic")

    @property
    def of_task(self) -> str:
        """The task, periodic or not, that it is a unit of; "" for the unit of a service."""
        return self.task or self.periodic

    @property
    def start_limit_sec(self) -> int:
        """How long a line of the unit's start may take."""
        return self._limit("TimeoutStartSec")

    @property
    def stop_limit_sec(self) -> int:
        """How long a line of the unit's stop may take."""
        return self._limit("TimeoutStopSec")

    def rules(self, name: str) -> FleetRules:
        """Where the unit *name* with this file may run."""
        return rules_of(self._pairs("X-Fleet"), name)

    def needs(self, name: str) -> Need:
        """What the unit *name* with this file requires of its machine."""
        rules = self.rules(name)
        return Need(name, rules.machine_id, rules.machine_of, rules.alternatives, rules.conflicts, self._ports)

    @cached_property
    def volumes(self) -> frozenset[str]:
        """The volumes and data of the machine that its container can write to, as far as docker's line has them."""
        return frozenset(name for one in self.options if one.name == "ExecStart" for name in written_volumes(one.value))

    def shared_volumes(self, other: UnitFile) -> tuple[str, ...]:
        """The volumes and data, by name, that its container and that of *other* can both write to."""
        return tuple(sorted(self.volumes & other.volumes))

    @cached_property
    def kept_volumes(self) -> tuple[str, ...]:
        """Those of `volumes` that docker keeps on the machine under a name."""
        return tuple(name for one in self.options if one.name == "ExecStart" for name in kept_volumes(one.value))

    @property
    def needs_image(self) -> bool:
        """Whether a line of it uses ``${IMAGE}``: all implicit docker lines do, custom ones may."""
        return any(names_image(option.value) for option in self.options)

    def with_image(self, ref: str) -> UnitFile:
        """This file with the line that names *ref* (``name@sha256:...`` or a tag); without one for "".

        Raises UnitRefused when there is no [Service] section or its first line already names an image.
        """
        if not ref:
            return self
        first = self._first_of_service
        if first is None:
            raise UnitRefused("Cannot add an image to the unit:", ["it has no [Service] section; add one"])
        if _is_image(self.options[first]):
            problem = f"it already has one: {self.options[first].value}"
            raise UnitRefused("Cannot add an image to the unit:", [problem])
        line = Option("Service", "Environment", _IMAGE + ref)
        return UnitFile((*self.options[:first], line, *self.options[first:]))

    def without_image(self) -> tuple[UnitFile, str]:
        """This file without its image line, and the image's reference; this file and "" when there is none."""
        first = self._first_of_service
        if first is None or not _is_image(self.options[first]):
            return self, ""
        rest = UnitFile((*self.options[:first], *self.options[first + 1 :]))
        return rest, self.options[first].value.removeprefix(_IMAGE)

    @property
    def secret_names(self) -> frozenset[str]:
        """The names of the secrets that it needs."""
        variables = self._agent_setting("Secrets").split()
        files = (value.split()[0] for option, value in self._pairs(SECTION) if option == "SecretFile" and value.split())
        return frozenset((*variables, *files))

    @property
    def secrets(self) -> dict[str, str]:
        """The name of each secret of which it has the digest, and that digest."""
        found = (value.partition(" ") for option, value in self._pairs(SECTION) if option == _DIGEST)
        return {name: digest for name, _, digest in found}

    def with_secrets(self, digests: Mapping[str, str]) -> UnitFile:
        """This file with the *digests* (name -> digest, see `secret_digest`) of the secrets that it needs. Raises
        UnitRefused when one is missing."""
        missing = sorted(self.secret_names - digests.keys())
        if missing:
            raise UnitRefused("Cannot add the secrets to the unit:", [f"{name} has no digest" for name in missing])
        lines = (Option(SECTION, _DIGEST, f"{name} {digests[name]}") for name in sorted(self.secret_names))
        return UnitFile((*self.without_secrets().options, *lines))

    def without_secrets(self) -> UnitFile:
        """This file without the lines of `with_secrets`."""
        return UnitFile(tuple(one for one in self.options if (one.section, one.name) != (SECTION, _DIGEST)))

    def bare(self) -> tuple[UnitFile, str]:
        """This file without its image line and the digests of its secrets, and the image's reference, "" for none."""
        return self.without_secrets().without_image()

    @cached_property
    def _ports(self) -> frozenset[str]:
        published = {port for one in self.options if one.name == "ExecStart" for port in fixed_ports(one.value)}
        # A proxy's container has the network of its machine, and the unit does not start it by docker's line.
        routes = [f"{value}  ".split(" ") for name, value in self._pairs(SECTION) if name == "Route"]
        return frozenset(published.union(f"{words[1]}/tcp" for words in routes))

    @property
    def _first_of_service(self) -> int | None:
        return next((index for index, option in enumerate(self.options) if option.section == "Service"), None)

    def _agent_setting(self, name: str) -> str:
        return next((option.value for option in self.options if (option.section, option.name) == (SECTION, name)), "")

    def _limit(self, name: str) -> int:
        given = self.last(name)
        return int(given) if given.isascii() and given.isdecimal() else _DEFAULT_LIMIT_SEC

    def _pairs(self, section: str) -> list[tuple[str, str]]:
        return [(option.name, option.value) for option in self.options if option.section == section]


def _is_image(option: Option) -> bool:
    return option.name == "Environment" and option.value.startswith(_IMAGE)


def names_secrets(text: str) -> bool:
    """Whether the unit *text* has the digest of a secret."""
    return f"\n{_DIGEST}=" in text
