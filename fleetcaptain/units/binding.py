"""Which units systemd stops when it stops another one: systemd.unit(5), "[Unit] Section Options"."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleetcaptain.units.names import name_parts
from fleetcaptain.units.unit_text import Option

__all__ = ["BINDING", "bound_to", "expanded"]

BINDING = (
    "BindsTo",
    "BindTo",
    "Requires",
    "RequiresOverridable",
    "Requisite",
    "RequisiteOverridable",
    "PartOf",
    "StopPropagatedFrom",
)
"""The options whose units stop this unit when they stop."""
_PASSING_ON = "PropagatesStopTo"


def bound_to(name: str, units: Iterable[tuple[str, Iterable[Option]]]) -> tuple[tuple[str, str], ...]:
    """The *units* (name, options) that systemd stops with the unit *name*, each with the unit that it is bound to:
    *name* itself or another of them, which comes before it."""
    binds: dict[str, set[str]] = {}
    for unit, options in units:
        for option in options:
            if option.section == "Unit" and option.name in BINDING:
                for other in _words(option.value, unit):
                    binds.setdefault(other, set()).add(unit)
            elif option.section == "Unit" and option.name == _PASSING_ON:
                binds.setdefault(unit, set()).update(_words(option.value, unit))
    found = {name: ""}
    for parent in (order := [name]):
        new = sorted(binds.get(parent, set()) - found.keys())
        found.update(dict.fromkeys(new, parent))
        order.extend(new)
    return tuple((unit, parent) for unit, parent in found.items() if parent)


def expanded(value: str, name: str) -> str:
    """*value* with the specifiers that stand for the unit's own *name*: ``%i`` of ``web@1.service`` is ``1``."""
    prefix, instance, kind = name_parts(name)
    if not kind:
        return value
    known = {"n": name, "N": name.removesuffix(f".{kind}"), "p": prefix, "i": instance, "%": "%"}
    known |= {"P": prefix, "I": instance, "j": prefix.rpartition("-")[2]}
    return re.sub("%(.)", lambda found: known.get(found[1], found[0]), value)


def _words(value: str, name: str) -> list[str]:
    one_line = value.replace("\\\n", " ")
    return [expanded(word.strip("\"'"), name) for word in one_line.split()]
