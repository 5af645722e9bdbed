"""systemd unit text as fleet reads, writes and hashes it.

fleet does not keep the text that it receives: it keeps the options, and writes them in its own form before it hashes
them. This module has the same reader and writer (go-systemd of November 2016, ``unit/deserialize.go`` and
``serialize.go``, which fleet 1.0.0 is built with), so that its hash equals the one that fleet reports.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from fleetcaptain.errors import UnitRefused

__all__ = ["Option", "hash_of", "parse", "serialize"]

# White space in Go; Python's has four more control characters.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_SPACE += "\u2028\u2029\u202f\u205f\u3000"
_COMMENT = "#;"


@dataclass(frozen=True)
class Option:
    """One ``name=value`` of a unit. A value of several lines has a backslash before each of its line ends."""

    section: str
    name: str
    value: str


def parse(text: str) -> tuple[Option, ...]:
    """The options of *text* in the order they stand; comments, empty sections and outer white space are dropped.

    Raises `UnitRefused` for text that fleet cannot read: a section or an option name that does not end.
    """
    options: list[Option] = []
    section: str | None = None
    at = 0
    while at < len(text):
        char = text[at]
        if char == "[":
            section, at = _section(text, at + 1)
        elif char in _COMMENT:
            at = _after_comment(text, at + 1)
        elif section is None or char in _SPACE:
            at += 1
        else:
            name, at = _name(text, at)
            value, at = _value(text, at)
            options.append(Option(section, name, value))
    return tuple(options)


def serialize(options: Iterable[Option]) -> str:
    """fleet's own form of *options*: grouped by section in order of first appearance, one empty line between sections.

    Raises `UnitRefused` for an option that fleet would read differently: a value with a line end without a backslash
    (the rest would become another option), a name that reads as a comment, a section or two words.
    """
    options = tuple(options)
    order = list(dict.fromkeys(option.section for option in options))
    grouped = groupby(sorted(options, key=lambda option: order.index(option.section)), lambda option: option.section)
    return "\n".join("".join([f"[{section}]\n", *map(_line, members)]) for section, members in grouped)


def hash_of(text: str) -> str:
    """The SHA1 (40 hex digits) that fleet computes for a text in its own form."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _line(option: Option) -> str:
    name, value = option.name, _trimmed(option.value)
    if "]" in option.section:
        raise _unwritable(option, "fleet could not read this section; write its plain name")
    if name.startswith(("#", ";", "[")) or set(name) & set("=\r\n") or name != name.strip(_SPACE):
        raise _unwritable(option, "fleet could not read this name; write the option's plain name")
    if any(not line.endswith("\\") for line in value.split("\n")[:-1]):
        raise _unwritable(
            option,
            "the value has a line end without a backslash before it, so the rest would become another option; "
            "write it on one line, or end the line with a backslash",
        )
    return f"{name}={value}\n"


def _trimmed(value: str) -> str:
    bare = value.strip(_SPACE)
    continued = value.endswith("\n") and bare.endswith("\\")
    return bare + "\n" if continued else bare


def _to_line_end(text: str, at: int) -> tuple[str, int]:
    """The rest of the line from *at* without its end, and where the next line begins."""
    end = text.find("\n", at)
    if end >= 0:
        return text[at:end], end + 1
    return text[at:].removesuffix("\r"), len(text)


def _after_comment(text: str, at: int) -> int:
    while True:
        line, at = _to_line_end(text, at)
        if not line.removesuffix(" ").endswith("\\"):
            return at


def _section(text: str, at: int) -> tuple[str, int]:
    end = text.find("]", at)
    if end < 0:
        raise _unreadable(f"[{_to_line_end(text, at)[0]}", 'the section name has no closing "]"; add it')
    rest, following = _to_line_end(text, end + 1)
    if rest.strip(_SPACE):
        raise _unreadable(f"[{text[at:end]}]{rest}", "there is text after the section name; move it to a separate line")
    return text[at:end], following


def _name(text: str, at: int) -> tuple[str, int]:
    line = text[at:].replace("\r", "\n").partition("\n")[0]
    name, equals, _ = line.partition("=")
    if not equals:
        raise _unreadable(line, 'the line has no "="; write Name=Value')
    return name.strip(_SPACE), at + len(name) + 1


def _value(text: str, at: int) -> tuple[str, int]:
    value = ""
    while True:
        line, following = _to_line_end(text, at)
        ended = text[at:following].endswith("\n")
        at = following
        if not line.strip(_SPACE):
            break
        value += line
        if not line.endswith("\\"):
            break
        if ended:
            value += "\n"
    return _trimmed(value), at


def _unwritable(option: Option, why: str) -> UnitRefused:
    return UnitRefused(
        "A unit option cannot be written:", [f"[{option.section}] {option.name!r} = {option.value!r}: {why}"]
    )


def _unreadable(line: str, why: str) -> UnitRefused:
    return UnitRefused("fleet cannot read this unit text:", [f"in the line {line!r}: {why}"])
