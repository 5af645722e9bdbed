"""Placement rules: an [X-Fleet] section as fleet 1.0.0 reads it. Pure.

The checks of a Fleetfile and of a unit's text, and the search for machines, all use this module.
Sources: `job/job.go` and `unit/unit.go` for parsing, `api/units.go` for what fleet refuses, `agent/state.go` and
Go's `path.Match` for conflicts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fleetcaptain.units.names import GENERATION_GLOB, instance_names, is_unit_name, name_parts

__all__ = [
    "KEYS",
    "OLD_KEYS",
    "FleetRules",
    "glob_matches",
    "glob_of_service",
    "glob_of_units",
    "rules_of",
    "service_in_glob",
    "unit_of_service",
    "x_fleet_refusals",
]

KEYS = ("MachineID", "MachineOf", "MachineMetadata", "Conflicts", "Replaces", "Global")
"""The options that fleet knows, in their current spelling."""
OLD_KEYS = {
    "X-ConditionMachineID": "MachineID",
    "X-ConditionMachineBootID": "MachineID",
    "X-ConditionMachineOf": "MachineOf",
    "X-ConditionMachineMetadata": "MachineMetadata",
    "X-Conflicts": "Conflicts",
}
"""Old spellings that fleet 1.0.0 still accepts -> the current ones."""
_TRUE = ("true", "yes", "1", "on", "t")
_MACHINE_ID = ("MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID")
_APART = (
    ("MachineID", "MachineOf"),
    ("MachineID", "Conflicts"),
    ("MachineID", "Global"),
    ("MachineID", "Replaces"),
    ("Global", "MachineOf"),
    ("Global", "Replaces"),
    ("Conflicts", "Replaces"),
)
_METADATA = re.compile(r"([^=]+)=([^=]+)")
# One part of a glob: a set, an escaped character, a wildcard, or any other character.
_GLOB_PART = re.compile(
    r"\[(?P<set>\^?+(?:(?:\\.|[^]\\-])(?:-(?:\\.|[^]\\-]))?)+)\]|\\(?P<escaped>.)|(?P<plain>[^[\\])"
)
_WILDCARDS = {"*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class FleetRules:
    """Where a unit may run. *machine_ids*: fleet reads only the first. *metadata*: the pairs as written; fleet ignores
    those that are not ``key=value``."""

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
        """Key of the metadata -> the accepted values."""
        found: dict[str, frozenset[str]] = {}
        for key, value in (match.groups() for match in map(_METADATA.fullmatch, self.metadata) if match):
            found[key] = found.get(key, frozenset()) | {value}
        return found

    @property
    def peers(self) -> tuple[str, ...]:
        """The services on whose machine the unit must run: fleet places them first. Their units keep their names, so
        none is replaced blue/green."""
        return tuple(dict.fromkeys(name_parts(name)[0] for name in self.machine_of))


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


def x_fleet_refusals(options: Iterable[tuple[str, str]], unit: str = "") -> Iterator[str]:
    """Why the *options* of the [X-Fleet] section of *unit* cannot work, one sentence each."""
    options = list(options)
    yield from _of_keys(options)
    rules = rules_of(options, unit)
    found = {
        "MachineID": rules.machine_ids,
        "MachineOf": rules.machine_of,
        "Conflicts": rules.conflicts,
        "Replaces": rules.replaces,
        "Global": rules.is_global,
    }
    for one, other in _APART:
        if found[one] and found[other]:
            yield f"[X-Fleet] {one} and {other} cannot be combined, and fleet refuses the unit; keep one of them"
    if len(set(rules.machine_ids)) > 1:
        yield (
            f"[X-Fleet] MachineID is set to {' and '.join(rules.machine_ids)}, but fleet reads only the first; keep one"
        )
    for peer in rules.machine_of:
        for key, globs in (("Conflicts", rules.conflicts), ("Replaces", rules.replaces)):
            for glob in globs:
                if glob_matches(glob, peer):
                    yield (
                        f"[X-Fleet] {key}={glob} matches MachineOf={peer}, and no machine can satisfy both; remove one"
                    )
    for pair in rules.metadata:
        if not _METADATA.fullmatch(pair):
            yield f"[X-Fleet] MachineMetadata={pair} is silently ignored by fleet; write key=value with one '='"


def glob_matches(glob: str, name: str) -> bool:
    """Whether *glob* matches *name* by Go's ``path.Match``; a malformed glob matches nothing."""
    pattern, at = "", 0
    while at < len(glob):
        part = _GLOB_PART.match(glob, at)
        if part is None:
            return False
        at = part.end()
        if part["set"]:
            pattern += _set(part["set"])
        else:
            pattern += _WILDCARDS.get(part["plain"] or "", re.escape(part["escaped"] or part["plain"]))
    return re.fullmatch(pattern, name, re.DOTALL) is not None


def unit_of_service(name: str) -> str:
    """The unit that ``MachineOf`` must name: *name* itself, or the one instance of the service *name*."""
    return name if is_unit_name(name) else instance_names(name, 1)[0]


def service_in_glob(glob: str) -> str:
    """The service that *glob* may stand for, as ``redis``, ``redis@*`` and ``redis@1.service`` do for redis."""
    stem = glob.removesuffix(".service")
    return "" if is_unit_name(stem) else stem.partition("@")[0]


def glob_of_service(glob: str, *, blue_green: bool) -> str:
    """The glob, in fleet's syntax, for the units of the service that *glob* stands for; with *blue_green*, the units of
    every generation, and of no other service."""
    service, _, instance = glob.removesuffix(".service").partition("@")
    prefix = f"{service}-{GENERATION_GLOB}" if blue_green else service
    return f"{prefix}@{instance or '*'}.service"


def glob_of_units(glob: str) -> str:
    """*glob*, with a unit type added if it has none."""
    return glob if is_unit_name(glob) else f"{glob}.service"


def _of_keys(options: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in options:
        if name not in KEYS and name not in OLD_KEYS:
            meant = next((key for key in KEYS if key.lower() == name.lower()), None)
            advice = f"write {meant}" if meant else "write one of " + ", ".join(KEYS)
            yield f"[X-Fleet] {name} is not known to fleet, which silently ignores it; {advice}"
        if "\n" in value:
            yield f"[X-Fleet] {name} has several lines, which fleet does not join; write it on one line"


def _expanded(value: str, unit: str) -> str:
    prefix, instance, kind = name_parts(unit)
    if not kind:
        return value
    stem = unit.removesuffix(f".{kind}")
    for specifier, part in (("%n", unit), ("%N", stem), ("%p", prefix), ("%i", instance)):
        value = value.replace(specifier, part)
    return value


def _several(value: str) -> list[str]:
    """fleet's own list form: several values on one line, only when the line starts and ends with a double quote."""
    return re.findall(r'"([^"]*)"', value) if value[:1] == value[-1:] == '"' else [value]


def _set(text: str) -> str:
    """A set of characters or ranges as a regular expression. A reversed range is empty."""
    negated = text.startswith("^")
    ranges = re.findall(r"\\?(.)(?:-\\?(.))?", text.removeprefix("^"), re.DOTALL)
    members = "".join(f"{re.escape(low)}-{re.escape(high or low)}" for low, high in ranges if low <= (high or low))
    if not members:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{members}]"
