"""fleet's own reading of an [X-Fleet] section (`job/job.go` and `unit/unit.go` of fleet 1.0.0). Pure.

All that asks where a unit may run asks here: the checks of a Fleetfile and of a text, and the search for machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["KEYS", "OLD_KEYS", "UNIT_SUFFIXES", "FleetRules", "rules_of"]

UNIT_SUFFIXES = (
    ".service",
    ".socket",
    ".timer",
    ".path",
    ".target",
    ".mount",
    ".automount",
    ".device",
    ".slice",
    ".swap",
)
"""systemd's unit types; a word with such an ending is a unit's name, any other a service's."""
KEYS = ("MachineID", "MachineOf", "MachineMetadata", "Conflicts", "Replaces", "Global")
OLD_KEYS = {
    "X-ConditionMachineID": "MachineID",
    "X-ConditionMachineBootID": "MachineID",
    "X-ConditionMachineOf": "MachineOf",
    "X-ConditionMachineMetadata": "MachineMetadata",
    "X-Conflicts": "Conflicts",
}
"""Spellings of fleet's first years, which fleet 1.0.0 still honours -> what they are called now."""
_TRUE = ("true", "yes", "1", "on", "t")
_MACHINE_ID = ("MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID")


@dataclass(frozen=True)
class FleetRules:
    """Where a unit may run. *machine_ids*: of several fleet reads the first. *metadata*: the pairs as they are written;
    those that are not ``key=value`` are ignored by fleet."""

    machine_ids: tuple[str, ...] = ()
    machine_of: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    is_global: bool = False

    @property
    def machine_id(self) -> str:
        """The id that fleet compares with a machine's, and with the first eight digits of it; "" for any machine."""
        return next(iter(self.machine_ids), "")

    @property
    def alternatives(self) -> Mapping[str, frozenset[str]]:
        """Key of the metadata -> the values that will do."""
        found: dict[str, frozenset[str]] = {}
        for pair in self.metadata:
            key, _, value = pair.partition("=")
            if key and value and "=" not in value:
                found[key] = found.get(key, frozenset()) | {value}
        return found


def rules_of(options: Iterable[tuple[str, str]], unit: str = "") -> FleetRules:
    """The rules in the *options* of an [X-Fleet] section, for the unit of this name: fleet replaces ``%n``, ``%N``,
    ``%p`` and ``%i`` by its parts, and nothing where the name has no type."""
    found: dict[str, list[str]] = {}
    for name, value in options:
        found.setdefault(name, []).extend(_expanded(entry, unit) for entry in _several(value))
    merged: dict[str, list[str]] = {}
    for name in (*OLD_KEYS, *KEYS):
        merged.setdefault(OLD_KEYS.get(name, name), []).extend(found.get(name, ()))
    return FleetRules(
        machine_ids=tuple(value for name in _MACHINE_ID for value in found.get(name, ())),
        machine_of=tuple(merged["MachineOf"]),
        metadata=tuple(merged["MachineMetadata"]),
        conflicts=tuple(glob for value in merged["Conflicts"] for glob in value.split()),
        replaces=tuple(merged["Replaces"]),
        is_global=bool(merged["Global"]) and merged["Global"][-1].lower() in _TRUE,
    )


def _expanded(value: str, unit: str) -> str:
    stem, dot, _ = unit.rpartition(".")
    if not dot:
        return value
    prefix, _, instance = stem.partition("@")
    for specifier, part in (("%n", unit), ("%N", stem), ("%p", prefix), ("%i", instance)):
        value = value.replace(specifier, part)
    return value


def _several(value: str) -> list[str]:
    """fleet's own list form: several values on one line, only when the line starts and ends with a double quote."""
    return re.findall(r'"([^"]*)"', value) if value[:1] == value[-1:] == '"' else [value]
