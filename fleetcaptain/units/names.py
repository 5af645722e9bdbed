"""Unit names: their syntax in systemd and fleet, the units of a service, and the service of a unit."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "GENERATION_GLOB",
    "SECTION_OF_TYPE",
    "SERVICE_NAME",
    "UNIT_CHARACTERS",
    "generation_names",
    "global_name",
    "instance_names",
    "is_unit_name",
    "machine_names",
    "name_parts",
    "periodic_units",
    "service_of",
    "task_unit",
    "without_generation",
]

SERVICE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
"""The names that a service can have."""
UNIT_CHARACTERS = r"A-Za-z0-9:_.\\@-"
"""The characters of a unit name, as a set of a regular expression."""
SECTION_OF_TYPE = {"service": "Service", "timer": "Timer", "socket": "Socket", "path": "Path"}
"""The types of units that fleet runs, and the section that each needs. fleet accepts others, but
never unloads them, or they stop the machine's agent."""
_UNIT_TYPES = frozenset({*SECTION_OF_TYPE, "target", "mount", "automount", "device", "slice", "swap", "scope"})
# The digits of the unit hash in a blue/green unit's name, as many as fleet's own listings show.
_GENERATION_DIGITS = 7
GENERATION_GLOB = "[0-9a-f]" * _GENERATION_DIGITS
"""The hash in a blue/green unit's name, as a glob."""
_OF_GENERATION = re.compile(rf"(.+)-{GENERATION_GLOB}")


def is_unit_name(name: str) -> bool:
    """Whether *name* ends in one of systemd's unit types; any other name is a service's."""
    stem, _, kind = name.rpartition(".")
    return bool(stem) and kind in _UNIT_TYPES


def name_parts(unit_name: str) -> tuple[str, str, str]:
    """The part of a unit's name before the ``@``, the instance after it, and the type; "" for a missing part."""
    stem, dot, kind = unit_name.rpartition(".")
    prefix, _, instance = (stem if dot else kind).partition("@")
    return prefix, instance, kind if dot else ""


def instance_names(service: str, count: int) -> tuple[str, ...]:
    """The units of a service that is replaced in place: ``app_server@1.service`` and on to *count*."""
    return tuple(f"{service}@{number}.service" for number in range(1, count + 1))


def generation_names(service: str, unit_hash: str, count: int) -> tuple[str, ...]:
    """The units of a blue/green service's generation: its *unit_hash* (hex): ``redis-abc1234@1.service``."""
    return instance_names(f"{service}-{unit_hash[:_GENERATION_DIGITS]}", count)


def global_name(service: str) -> str:
    """The one unit that fleet itself runs on every machine, as the machine agent: ``shop-agent.service``."""
    return f"{service}.service"


def machine_names(service: str, machine_ids: Iterable[str]) -> tuple[str, ...]:
    """The units of a service that runs on every machine, one for each: ``agent@<machine id>.service``.

    A text with ``MachineID=%i`` binds each to its machine. fleet replaces its own global units on all machines at
    once, so they cannot be rolled machine by machine.
    """
    return tuple(f"{service}@{machine_id}.service" for machine_id in sorted(machine_ids))


def task_unit(task: str, attempt: str) -> str:
    """The unit of one run of *task*; *attempt* is in no other one's name."""
    return f"{task}-task@{attempt}.service"


def periodic_units(task: str) -> tuple[str, str]:
    """The two units of a periodic *task*: its service, and the timer that starts it."""
    return f"{task}-task.service", f"{task}-task.timer"


def service_of(unit_name: str) -> str:
    """The service in the name *unit_name*. If the unit's text has a mark (`UnitFile.mark`), the mark decides."""
    prefix, _, kind = name_parts(unit_name)
    if not prefix or kind not in SECTION_OF_TYPE:
        return unit_name
    return without_generation(prefix) if "@" in unit_name else prefix


def without_generation(prefix: str) -> str:
    """*prefix*, the part of a unit's name before the ``@``, without the hash of a blue/green generation. No service
    name ends like one."""
    match = _OF_GENERATION.fullmatch(prefix)
    return match[1] if match else prefix
