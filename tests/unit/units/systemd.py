"""systemd's reading of a command, for tests: systemd.service(5) "COMMAND LINES" and systemd.unit(5) "SPECIFIERS"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = ["command", "exec_values"]

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "s": " "}


def command(value: str, specifiers: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None) -> list[str]:
    """The argv that systemd makes of an ``Exec...=`` *value*, its prefix left out."""
    joined = " ".join(_physical(value)).lstrip("-+!@:")
    known = {"%": "%", **(specifiers or {})}
    return [_variables(re.sub("%(.)", lambda found: known[found[1]], word), env or {}) for word in _words(joined)]


def exec_values(text: str, name: str) -> list[str]:
    """The values of the option *name* in the unit *text*, continued lines and all."""
    return [found[1] for found in re.finditer(rf"^{name}=((?:.*\\\n)*.*)$", text, re.MULTILINE)]


def _physical(value: str) -> Iterator[str]:
    lines = value.split("\n")
    for number, line in enumerate(lines):
        if number and line.lstrip().startswith(("#", ";")):
            continue
        assert line.endswith("\\") == (number < len(lines) - 1), line
        yield line.removesuffix("\\")


def _words(text: str) -> Iterator[str]:
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\n\r":
            at += 1
        if at >= len(text):
            return
        if text[at] == ";" and (at + 1 == len(text) or text[at + 1] in " \t"):
            raise AssertionError("a bare ; ends the command")
        word, quote = "", ""
        while at < len(text) and (quote or text[at] not in " \t\n\r"):
            char = text[at]
            if char == "\\" and text[at + 1] == "x":
                word += chr(int(text[at + 2 : at + 4], 16))
                at += 3
            elif char == "\\":
                at += 1
                word += _ESCAPES[text[at]]
            elif quote:
                quote, word = ("", word) if char == quote else (quote, word + char)
            elif char in "\"'":
                quote = char
            else:
                word += char
            at += 1
        assert not quote, "an open quote"
        yield word


def _variables(word: str, env: Mapping[str, str]) -> str:
    assert not re.match(r"\$[A-Za-z_]", word), f"systemd would split {word}"
    return re.sub(r"\$\$|\$\{(\w+)\}", lambda found: env.get(found[1], "") if found[1] else "$", word)
