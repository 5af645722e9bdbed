"""What fleet 1.0.0 reads and checks in a unit: api/units.go, job/job.go, unit/unit.go of its source.

Written apart from `fleetcaptain.units.validate` on purpose: the project refuses more than fleet does. Only the reader
of unit text is shared; the contract tests hold it against the real fleet.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from fleetcaptain.errors import UnitRefused
from fleetcaptain.units.unit_text import Option, parse

__all__ = ["content_of", "is_global", "is_template", "name_problem", "options_problem", "raw_text", "x_fleet"]

_TEMPLATE_TYPES = ("path", "service", "socket", "target", "timer")
_TYPES = (*_TEMPLATE_TYPES, "automount", "busname", "device", "mount", "scope", "slice", "snapshot", "swap")
_NAME_BYTES = 256
_LINE_BYTES = 2048
_TRUE = ("true", "yes", "1", "on", "t")
_APART = (
    ("MachineID", "MachineOf", "Peers"),
    ("MachineID", "Conflicts", "Conflicts"),
    ("MachineID", "Global", "Global"),
    ("MachineID", "Replaces", "Replaces"),
    ("Global", "MachineOf", "Peers"),
    ("Global", "Replaces", "Replaces"),
    ("Conflicts", "Replaces", "Replaces"),
)


def raw_text(options: Sequence[Option]) -> str:
    """go-systemd's Serialize: grouped by section, and nothing trimmed."""
    sections = dict.fromkeys(option.section for option in options)
    texts = []
    for section in sections:
        lines = [f"{option.name}={option.value}\n" for option in options if option.section == section]
        texts.append(f"[{section}]\n" + "".join(lines))
    return "\n".join(texts)


def content_of(options: Sequence[Option]) -> str:
    """fleet's hash of *options* as they are."""
    return hashlib.sha1(raw_text(options).encode(), usedforsecurity=False).hexdigest()


def name_problem(name: str) -> str | None:
    """ValidateName's words against *name*."""
    stem, dot, kind = name.rpartition(".")
    odd = re.search(r"[^A-Za-z0-9:_.\\@-]", stem)
    if len(name.encode()) > _NAME_BYTES:
        return f"unit name exceeds maximum length ({_NAME_BYTES})"
    if not dot or not kind:
        return 'unit name cannot end in "."' if dot else 'unit name must contain "."'
    if kind not in _TYPES:
        return f'invalid unit type: "{kind}"'
    if "@" in name and kind not in _TEMPLATE_TYPES:
        return f'invalid unit type for template: "{kind}"'
    if odd:
        return f"invalid character '{odd[0]}' in unit name"
    return 'unit name cannot start in "@"' if name.startswith("@") else None


def options_problem(options: Sequence[Option]) -> str | None:
    """ValidateOptions' words against *options*."""
    text = raw_text(options)
    if any(len(line.encode()) >= _LINE_BYTES for line in text.split("\n")):
        return f"line too long (max {_LINE_BYTES} bytes)"
    try:
        parse(text)
    except UnitRefused as error:
        return str(error)
    asked = x_fleet(options)
    for peer in asked.get("MachineOf", ()):
        for key in ("Conflicts", "Replaces"):
            if any(fnmatchcase(peer, glob) for glob in asked.get(key, ())):
                return f'unresolvable requirements: peer "{peer}" matches {key[:-1].lower()}'
    for one, other, called in _APART:
        if asked.get(one) and asked.get(other):
            return f"{one} cannot be used with {called}"
    return None


def x_fleet(options: Sequence[Option]) -> Mapping[str, list[str]]:
    """The [X-Fleet] values by key. A Global that is not true is left out."""
    found: dict[str, list[str]] = {}
    for option in options:
        if option.section == "X-Fleet":
            value = option.value
            values = re.findall(r'"([^"]*)"', value) if value[:1] == value[-1:] == '"' else [value]
            words = [word for each in values for word in each.split()] if option.name == "Conflicts" else values
            found.setdefault(option.name, []).extend(words)
    if found.get("Global", ["true"])[-1].lower() not in _TRUE:
        del found["Global"]
    return found


def is_global(options: Sequence[Option]) -> bool:
    """Whether the unit runs on every machine."""
    return "Global" in x_fleet(options)


def is_template(name: str) -> bool:
    """Whether *name* has no instance after its ``@``."""
    return name.rpartition(".")[0].endswith("@")
