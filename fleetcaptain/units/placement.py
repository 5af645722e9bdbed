"""The [X-Fleet] section: what fleet 1.0.0 turns down (api/units.go), and what it silently ignores (job/job.go)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from fleetcaptain.units.text import Option

__all__ = ["placement_refusals"]

_KEYS = ("MachineID", "MachineOf", "MachineMetadata", "Conflicts", "Replaces", "Global")
# Spellings of fleet's first years that fleet 1.0.0 still honours.
_OLD_KEYS = {
    "X-ConditionMachineID": "MachineID",
    "X-ConditionMachineBootID": "MachineID",
    "X-ConditionMachineOf": "MachineOf",
    "X-ConditionMachineMetadata": "MachineMetadata",
    "X-Conflicts": "Conflicts",
}
_TRUE = ("true", "yes", "1", "on", "t")
_APART = (
    ("MachineID", "MachineOf"),
    ("MachineID", "Conflicts"),
    ("MachineID", "Global"),
    ("MachineID", "Replaces"),
    ("Global", "MachineOf"),
    ("Global", "Replaces"),
    ("Conflicts", "Replaces"),
)


def placement_refusals(options: Iterable[Option]) -> Iterator[str]:
    """Why the [X-Fleet] options among *options* cannot work, one sentence each."""
    ours = [option for option in options if option.section == "X-Fleet"]
    yield from _of_keys(ours)
    found = _values(ours)
    for one, other in _APART:
        if found.get(one) and found.get(other):
            yield f"[X-Fleet] {one} and {other} cannot stand together; fleet turns the unit down, so keep one of them"
    for peer in found.get("MachineOf", ()):
        for key in ("Conflicts", "Replaces"):
            for glob in found.get(key, ()):
                if fnmatchcase(peer, glob.replace("[^", "[!")):
                    yield f"[X-Fleet] MachineOf={peer} is matched by its own {key}={glob}; no machine can satisfy both"
    for pair in found.get("MachineMetadata", ()):
        if not re.fullmatch(r"[^=]+=[^=]+", pair):
            yield f"[X-Fleet] MachineMetadata={pair} is ignored without a word; write it key=value, with one '='"


def _of_keys(ours: list[Option]) -> Iterator[str]:
    for option in ours:
        if option.name not in _KEYS and option.name not in _OLD_KEYS:
            meant = next((key for key in _KEYS if key.lower() == option.name.lower()), None)
            advice = f"write {meant}" if meant else "fleet knows " + ", ".join(_KEYS)
            yield f"[X-Fleet] {option.name} is not known to fleet, which ignores it without a word; {advice}"
        if "\n" in option.value:
            yield f"[X-Fleet] {option.name} goes over several lines, which fleet does not join; write it on one line"


def _values(ours: list[Option]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for option in ours:
        key = _OLD_KEYS.get(option.name, option.name)
        values = _several(option.value)
        if key == "Conflicts":
            values = [word for value in values for word in value.split()]
        found.setdefault(key, []).extend(values)
    if found.get("Global") and found["Global"][-1].lower() not in _TRUE:
        del found["Global"]
    return found


def _several(value: str) -> list[str]:
    """fleet's own list form: several values on one line, only when the line starts and ends with a double quote."""
    return re.findall(r'"([^"]*)"', value) if value[:1] == value[-1:] == '"' else [value]
