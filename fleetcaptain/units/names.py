"""Unit names: which units a service has, and which service a unit belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["generation_names", "global_name", "instance_names", "instance_of", "machine_names", "service_of"]

# The digits of a content that a blue/green unit's name carries, as many as fleet's own listings show.
_GENERATION_DIGITS = 7
_UNIT = re.compile(
    r"(?P<prefix>[^@]+?)(?:-(?P<generation>[0-9a-f]{7})(?=@))?(?:@(?P<instance>.*))?\.(?:service|timer|socket|path)"
)


def instance_names(service: str, count: int) -> tuple[str, ...]:
    """The units of a service that is replaced in place: ``app_server@1.service`` and on to *count*."""
    return tuple(f"{service}@{number}.service" for number in range(1, count + 1))


def generation_names(service: str, content: str, count: int) -> tuple[str, ...]:
    """The units of a blue/green service's generation, named after its *content* (hex): ``redis-abc1234@1.service``."""
    return instance_names(f"{service}-{content[:_GENERATION_DIGITS]}", count)


def global_name(service: str) -> str:
    """The one unit that fleet itself runs on every machine, as the beacon: ``shop-beacon.service``."""
    return f"{service}.service"


def machine_names(service: str, machine_ids: Iterable[str]) -> tuple[str, ...]:
    """The units of a service that runs on every machine, one for each: ``agent@<machine id>.service``.

    A text with ``MachineID=%i`` binds each to its machine. fleet's own global units cannot be replaced on one machine
    after the other: a new text reaches all of them at once.
    """
    return tuple(f"{service}@{machine_id}.service" for machine_id in sorted(machine_ids))


def service_of(unit_name: str) -> str:
    """The service that *unit_name* is named after; its text's mark (`mark_of`) is the authority where there is one.

    A service whose own name ends like a generation (``-`` and seven hex digits) is not told apart from one.
    """
    match = _UNIT.fullmatch(unit_name)
    return match["prefix"] if match else unit_name


def instance_of(unit_name: str) -> int | None:
    """The instance's number, counted from 1; None for a unit without one."""
    match = _UNIT.fullmatch(unit_name)
    instance = match["instance"] if match else None
    return int(instance) if instance and instance.isascii() and instance.isdigit() else None
