"""Quotes commands for systemd's ``Exec...=`` options (systemd.service(5), "COMMAND LINES").

systemd interprets the backslash, the percent sign, the dollar sign and both quotes, and joins continued lines. fleet
accepts lines of less than 2,048 bytes. Pulumi reads ``<{%`` as the beginning of a colour.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.letters import FOLDABLE
from fleetcaptain.fleetfile.values import Expand
from fleetcaptain.printable import COLOUR_MARK

__all__ = ["Expanded", "continued", "exec_line", "folded", "joined", "no_specifiers", "setting", "shell_line"]

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./${}-]+")
_NEXT_LINE = " \\\n  "
# Less than fleet's limit, to leave room for the backslash.
_LINE_BYTES = 2000
# Pulumi prints unit texts. systemd reads this as the mark itself, and Pulumi does not recognize it.
_MARK = f"\\x{ord(COLOUR_MARK[0]):02x}{COLOUR_MARK[1:]}"


class Expanded(str):
    """A text of FleetCaptain whose specifiers (``%n``) systemd expands, and also ``${VARIABLES}`` if it is a whole
    word. `Expand` is the equivalent of the Fleetfile."""

    __slots__ = ()


def exec_line(words: Sequence[str]) -> str:
    """The value of an ``Exec...=`` option that makes systemd run exactly *words*; systemd expands only words that are
    an `Expanded` or an `Expand`."""
    return " ".join(map(_word, words))


def continued(groups: Sequence[Sequence[str]]) -> str:
    """As `exec_line`, with each group of words on a separate line, so that a change is one line of a diff."""
    return _NEXT_LINE.join(map(exec_line, groups))


def shell_line(script: Sequence[str]) -> str:
    """The value that makes systemd run the ``sh`` *script*, its lines joined by spaces.

    Its dollar signs are the shell's in every line; the percent signs are systemd's in an `Expanded` line.
    No line may begin with ``#`` or ``;``: systemd reads such a continued line as a comment.
    """
    lines = [_specials(line) if isinstance(line, Expanded) else _specials(no_specifiers(line)) for line in script]
    quote = _quote("".join(lines))
    body = _NEXT_LINE.join(_quotable(quote, line) for line in lines)
    return f"/bin/sh -c {quote}\\\n  {body}{quote}"


def joined(*parts: str) -> str:
    """One word of *parts*, in which each part keeps its own meaning."""
    if not any(isinstance(part, Expanded | Expand) for part in parts):
        return "".join(parts)
    return Expanded("".join(str(part) if isinstance(part, Expanded | Expand) else _unexpanded(part) for part in parts))


def setting(text: str) -> str:
    """The value of an option that is not a command: systemd expands its specifiers only if it is an `Expand`."""
    return str(text) if isinstance(text, Expand) else no_specifiers(text)


def folded(name: str, value: str) -> str:
    """*value* of the option *name*, continued at blanks if a line is too long for fleet. systemd reads the same."""
    return "\n".join(map(_fold, f"{name}={value}".split("\n"))).removeprefix(f"{name}=")


def _fold(line: str) -> str:
    if len(line.encode()) <= _LINE_BYTES:
        return line
    first, *others = FOLDABLE.split(line)
    parts, size = [first], len(first.encode())
    for part in others:
        length = len(part.encode()) + 1
        fits = size + length <= _LINE_BYTES
        parts += [" " if fits else "\\\n", part]
        size = size + length if fits else length
    return "".join(parts)


def no_specifiers(text: str) -> str:
    """*text* with its percent signs escaped for systemd."""
    return text.replace("%", "%%")


def _specials(text: str) -> str:
    if "\0" in text:
        raise UnitRefused("Cannot write a command:", [f"{text!r} has a NUL byte, which no command can have; remove it"])
    return _escaped(text).replace("$", "$$")


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\")
    return text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _unexpanded(text: str) -> str:
    return no_specifiers(text).replace("$", "$$")


def _word(word: str) -> str:
    text = _escaped(word) if isinstance(word, Expanded | Expand) else _specials(no_specifiers(word))
    if _PLAIN.fullmatch(text):
        return text
    quote = _quote(text)
    return f"{quote}{_quotable(quote, text)}{quote}"


def _quote(text: str) -> str:
    return '"' if "'" in text and '"' not in text else "'"


def _quotable(quote: str, text: str) -> str:
    return text.replace(quote, "\\" + quote).replace(COLOUR_MARK, _MARK)
