"""The words of a container's command and of ``docker_args``. Pure; raises `ValidationError`.

No shell reads them: docker gets exactly these words. A text is split as a shell would, by blanks and quotes; what only
a shell could do with it is refused, since it would reach the program as letters.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from fleetcaptain.fleetfile.docker_args import OPTION_NAMES
from fleetcaptain.fleetfile.letters import letters
from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import Expand, Literal

__all__ = ["command", "docker_words"]

_PIECE = re.compile(
    r"""(?P<blank>[ \t]+) | '(?P<single>[^']*)' | "(?P<double>(?:[^"\\]|\\.)*)" | \\(?P<escaped>.)
      | (?P<bare>[^ \t'"\\]+)""",
    re.VERBOSE,
)
_EXPANDED_BY_SHELL = r"`|\$\(|\$\{|\$[A-Za-z0-9_@*#?!-]"
_OPERATOR = re.compile(rf"&&?|\|\|?|;|[0-9]?[<>]+&?|{_EXPANDED_BY_SHELL}")
_IN_QUOTES = re.compile(_EXPANDED_BY_SHELL)
_ESCAPED_IN_QUOTES = re.compile(r"\\([\"\\])")
_OPERATOR_OF_EXPAND = re.compile(r"&&?|\|\|?|;|[0-9]?[<>]+&?|`")
# What follows it in double quotes is a program of its own: sh -c "..."
_TAKES_PROGRAM = re.compile(r"-[A-Za-z]*c")
_OPTION_AND_VALUE = re.compile(r"(--?[A-Za-z][\w-]*)\s+(\S.*)", re.DOTALL)
# docker reads their values as CSV, in which quotes keep a comma: --gpus '"device=0,1"'.
_CSV = ("--gpus", "--mount")
_VALUE_AND_OPTION = re.compile(r"--?[A-Za-z][\w-]*=\S*\s+--([a-z][a-z0-9-]*)(?:[\s=].*)?", re.DOTALL)
_ALL_IN_QUOTES = re.compile(r"(--?[A-Za-z][\w-]*=)?([\w./-]+=)?(?P<quote>[\"'])(?P<inside>.*)(?P=quote)", re.DOTALL)


def command(value: Any) -> tuple[str, ...]:
    """The words of a command: of a text those that a shell would make of it, of a list each entry as it is."""
    if isinstance(value, str):
        words = _split(value, letters(value))
        _refuse_other_forms(value, words)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        words = tuple(letters(entry) for entry in value)
    else:
        raise ValidationError(f"it must be a text or a list of words, not {represented(value)}")
    if not words:
        raise ValidationError("it must not be empty; leave it out for the image's own command")
    return words


def _refuse_other_forms(value: str, words: Sequence[str]) -> None:
    """Raise `ValidationError` for a text that a Dockerfile or a shell would not split into *words*."""
    if isinstance(value, Literal):
        return
    if re.fullmatch(r"\s*\[\s*\".*\"\s*\]\s*", value):
        raise ValidationError(
            f"{represented(value)} is a list in a text, which is split at its blanks; write the list itself"
        )
    variable = re.match(r"([A-Z_][A-Z0-9_]*)=", value)
    if variable and len(words) > 1:
        raise ValidationError(
            f'no shell reads it, so {variable[0]}... would be the program; write env={{"{variable[1]}": ...}}, or put '
            "the word in single quotes where it is the image's own"
        )


def docker_words(value: Any) -> tuple[str, ...]:
    """The words of ``docker_args``: each entry of the list is one."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ValidationError(
            f'it must be a list of words, such as ["--env-file", "/etc/shop.env"], not {represented(value)}'
        )
    words = tuple(value)
    pairs = zip(("", *words), words, strict=False)
    return tuple(letters(word) if before in _CSV else _docker_word(word) for before, word in pairs)


def _docker_word(value: Any) -> str:
    text = letters(value)
    if isinstance(value, Literal) or text.partition("=")[0] in _CSV:
        return text
    pair = _OPTION_AND_VALUE.fullmatch(text)
    if pair:
        words = ", ".join(repr(_kind_of(value, part)) for part in _by_shell(text, [pair[1], pair[2]]))
        raise ValidationError(
            f"each entry is one word for docker, and {text[:80]!r} has an option and its value in one; write "
            f"[{words}] as entries, or Literal(...) where it is one word"
        )
    second = _VALUE_AND_OPTION.fullmatch(text)
    if second and second[1] in OPTION_NAMES:
        words = ", ".join(repr(_kind_of(value, part)) for part in _by_shell(text, text.split()))
        raise ValidationError(
            f"each entry is one word for docker, and {text[:80]!r} has two options in one; write [{words}] as entries, "
            "or Literal(...) where it is one word"
        )
    quoted = _ALL_IN_QUOTES.fullmatch(text)
    if quoted and _by_shell(text, []) == [f"{quoted[1] or ''}{quoted[2] or ''}{quoted['inside']}"]:
        raise ValidationError(
            f"no shell reads {text[:80]!r}, so the quotes would be a part of the word; leave them out, or write "
            "Literal(...) where they are meant"
        )
    return text


def _by_shell(text: str, otherwise: list[str]) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return otherwise


def _split(value: str, text: str) -> tuple[str, ...]:
    words: list[str] = []
    at, inside = 0, False
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValidationError(f"{text[at : at + 40]!r} begins a quote that does not end; balance its quotes")
        at = piece.end()
        if piece.lastgroup == "blank":
            inside = False
            continue
        if not inside:
            words.append("")
        inside = True
        words[-1] += _read(piece, value, words[:-1])
    return tuple(_kind_of(value, found) for found in words)


def _read(piece: re.Match[str], value: str, before: Sequence[str]) -> str:
    """The letters that *piece* stands for, in a word after those *before*."""
    found = str(piece[piece.lastgroup or 0])
    if piece.lastgroup == "bare" and not isinstance(value, Literal):
        operator = (_OPERATOR_OF_EXPAND if isinstance(value, Expand) else _OPERATOR).search(found)
        if operator:
            raise _needs_shell(operator[0], value)
    if piece.lastgroup != "double":
        return found
    if re.search(r"\\[$`]", found):
        raise ValidationError(
            f'"{found[:40]}": write what has an escaped $ or ` in single quotes, or the command as a list'
        )
    if not isinstance(value, Expand | Literal) and not any(map(_TAKES_PROGRAM.fullmatch, before)):
        operator = _IN_QUOTES.search(found)
        if operator:
            raise _needs_shell(operator[0], value)
    return _ESCAPED_IN_QUOTES.sub(r"\1", found)


def _needs_shell(operator: str, value: str) -> ValidationError:
    shown = repr(value) if len(value) <= 200 else "..."  # noqa: PLR2004  letters
    return ValidationError(
        f"no shell reads it, so {operator} would reach the program as letters; for a shell of the image write "
        f'["sh", "-c", {shown}], for the letters put them in single quotes'
    )


def _kind_of(value: Any, text: str) -> str:
    return Expand(text) if isinstance(value, Expand) else str(text)
