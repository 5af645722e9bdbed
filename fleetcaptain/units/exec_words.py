"""Reads the value of an ``Exec...=`` option as systemd does (systemd.service(5), "COMMAND LINES"): the words of a line
that `quoting` wrote. Pure.

What only the machine knows stays open: `Word` marks it, and `shell_word` writes it for a shell on the machine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from fleetcaptain.errors import UnitRefused

__all__ = ["FIXED_SPECIFIERS", "Word", "exec_words", "shell_word", "unknown_in", "with_specifiers"]

Word = str
r"""A word of a command. A variable of the machine is its name between NUL characters, which no word has: ``\0NAME\0``;
the specifiers ``%H`` and ``%b`` are marked in the same way."""

FIXED_SPECIFIERS: Mapping[str, str] = {
    **{"%": "%", "H": "\0%H\0", "b": "\0%b\0"},
    # The folders of units of the system, and their user.
    **{"t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc"},
    **{"T": "/tmp", "V": "/var/tmp"},  # noqa: S108 - systemd's words
    **{"h": "/root", "u": "root", "U": "0", "g": "root", "G": "0", "s": "/bin/sh"},
}
"""The specifiers that are the same in every unit: letter -> text."""
_ON_MACHINE = {"%H": "$(uname -n)", "%b": "$(tr -d '\\n-' </proc/sys/kernel/random/boot_id)"}
_CONTINUED = re.compile(r"\\\n")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_NUMBERED = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{3})")
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SPLIT = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*")
_BLANKS = " \t\n"


def exec_words(value: str, specifiers: Mapping[str, str], variables: Mapping[str, str]) -> tuple[Word, ...]:
    """The words of the command in *value*. *specifiers*: letter -> text, *variables*: name -> text, those known here.

    Raises UnitRefused for a line that systemd cannot read, or a part that only systemd can replace.
    """
    words = [with_specifiers(word, specifiers) for word in _unquoted(_CONTINUED.sub(" ", value))]
    for word in words:
        if _SPLIT.fullmatch(word):
            raise _refused(f"systemd splits {word} into words on the machine; write ${{{word[1:]}}}, which is one word")
    return tuple(_VARIABLE.sub(lambda found: _variable(found[1], variables), word) for word in words)


def with_specifiers(text: str, specifiers: Mapping[str, str]) -> str:
    """*text* with its *specifiers* replaced. Raises UnitRefused for others."""

    def replaced(found: re.Match[str]) -> str:
        if found[1] not in specifiers:
            raise _refused(f"only systemd can replace the specifier {found[0]} in {text!r}")
        return specifiers[found[1]]

    return re.sub(r"%(.?)", replaced, text, flags=re.DOTALL)


def unknown_in(word: Word) -> bool:
    """Whether *word* has a variable of the machine."""
    return any(not name.startswith("%") for name in word.split("\0")[1::2])


def shell_word(word: Word) -> str:
    """*word* for a POSIX shell on the machine, whose environment has its variables."""
    text = ""
    for number, part in enumerate(word.split("\0")):
        if number % 2:
            text += f'"{_ON_MACHINE.get(part) or f"${{{part}}}"}"'
        elif part:
            text += shlex.quote(part)
    return text or "''"


def _variable(name: str | None, variables: Mapping[str, str]) -> str:
    return "$" if name is None else variables.get(name, f"\0{name}\0")


def _unquoted(text: str) -> list[str]:
    words: list[str] = []
    word, quote, at = None, "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\":
            plain, at = _escape(text, at)
            word = (word or "") + plain
        elif quote:
            if char == quote:
                quote = ""
            else:
                word = (word or "") + char
        elif char in "'\"":
            quote, word = char, word or ""
        elif char in _BLANKS:
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + char
    if quote:
        raise _refused(f"it has an unbalanced quote: {text[-40:]!r}")
    return [*words, *([] if word is None else [word])]


def _escape(text: str, at: int) -> tuple[str, int]:
    """What the escape at *at*, after its backslash, stands for, and where it ends. An unknown one stays as it is."""
    numbered = _NUMBERED.match(text, at)
    if numbered:
        digits = next(filter(None, numbered.groups()))
        return chr(int(digits, 8 if numbered[4] else 16)), numbered.end()
    char = text[at : at + 1]
    if char and char in "\\'\"":
        return char, at + 1
    return _ESCAPES.get(char, f"\\{char}"), at + 1


def _refused(why: str) -> UnitRefused:
    return UnitRefused("Cannot read the command of the unit:", [why])
