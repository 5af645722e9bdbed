"""The [X-Fleet] section: what fleet 1.0.0 turns down (api/units.go), and what it silently ignores (job/job.go)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from fleetcaptain.fleetfile.fleet_rules import KEYS, OLD_KEYS, FleetRules, rules_of
from fleetcaptain.units.text import Option

__all__ = ["placement_refusals", "placement_rules"]

_APART = (
    ("MachineID", "MachineOf"),
    ("MachineID", "Conflicts"),
    ("MachineID", "Global"),
    ("MachineID", "Replaces"),
    ("Global", "MachineOf"),
    ("Global", "Replaces"),
    ("Conflicts", "Replaces"),
)


def placement_rules(options: Iterable[Option], unit: str) -> FleetRules:
    """Where the *unit* with these *options* may run."""
    return rules_of(((option.name, option.value) for option in options if option.section == "X-Fleet"), unit)


def placement_refusals(options: Iterable[Option], unit: str = "") -> Iterator[str]:
    """Why the [X-Fleet] options among the *options* of *unit* cannot work, one sentence each."""
    ours = [option for option in options if option.section == "X-Fleet"]
    yield from _of_keys(ours)
    rules = placement_rules(ours, unit)
    found = {
        "MachineID": rules.machine_ids,
        "MachineOf": rules.machine_of,
        "Conflicts": rules.conflicts,
        "Replaces": rules.replaces,
        "Global": rules.is_global,
    }
    for one, other in _APART:
        if found[one] and found[other]:
            yield f"[X-Fleet] {one} and {other} cannot stand together; fleet turns the unit down, so keep one of them"
    if len(set(rules.machine_ids)) > 1:
        yield f"[X-Fleet] MachineID is given as {' and '.join(rules.machine_ids)}; fleet reads the first, so keep one"
    for peer in rules.machine_of:
        for key, globs in (("Conflicts", rules.conflicts), ("Replaces", rules.replaces)):
            for glob in globs:
                if fnmatchcase(peer, glob.replace("[^", "[!")):
                    yield f"[X-Fleet] MachineOf={peer} is matched by its own {key}={glob}; no machine can satisfy both"
    for pair in rules.metadata:
        if not re.fullmatch(r"[^=]+=[^=]+", pair):
            yield f"[X-Fleet] MachineMetadata={pair} is ignored without a word; write it key=value, with one '='"


def _of_keys(ours: list[Option]) -> Iterator[str]:
    for option in ours:
        if option.name not in KEYS and option.name not in OLD_KEYS:
            meant = next((key for key in KEYS if key.lower() == option.name.lower()), None)
            advice = f"write {meant}" if meant else "fleet knows " + ", ".join(KEYS)
            yield f"[X-Fleet] {option.name} is not known to fleet, which ignores it without a word; {advice}"
        if "\n" in option.value:
            yield f"[X-Fleet] {option.name} goes over several lines, which fleet does not join; write it on one line"
