"""The words of a container's command and of ``docker_args``. Pure; raises `ValidationError`.

No shell reads them: docker gets exactly these words. A string is split as a shell would, at blanks and quotes. Shell
syntax is refused, because it would reach the program literally.
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
# Double quotes after it contain a program: sh -c "..."
_TAKES_PROGRAM = re.compile(r"-[A-Za-z]*c")
_OPTION_AND_VALUE = re.compile(r"(--?[A-Za-z][\w-]*)\s+(\S.*)", re.DOTALL)
# docker reads their values as CSV, in which quotes keep a comma: --gpus '"device=0,1"'.
_CSV = ("--gpus", "--mount")
_VALUE_AND_OPTION = re.compile(r"--?[A-Za-z][\w-]*=\S*\s+--([a-z][a-z0-9-]*)(?:[\s=].*)?", re.DOTALL)
_ALL_IN_QUOTES = re.compile(r"(--?[A-Za-z][\w-]*=)?([\w./-]+=)?(?P<quote>[\"'])(?P<inside>.*)(?P=quote)", re.DOTALL)


def command(value: Any) -> tuple[str, ...]:
    """The words of a command: a string is split as a shell would split it; each entry of a list is one word."""
    if isinstance(value, str):
        words = _split(value, letters(value))
        _refuse_other_forms(value, words)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        words = tuple(letters(entry) for entry in value)
    else:
        raise ValidationError(f"must be a string or a list of words, not {represented(value)}")
    if not words:
        raise ValidationError("must not be empty; remove it to run the image's own command")
    return words


def _refuse_other_forms(value: str, words: Sequence[str]) -> None:
    """Raise `ValidationError` for a string that a Dockerfile or a shell would not split into *words*."""
    if isinstance(value, Literal):
        return
    if re.fullmatch(r"\s*\[\s*\".*\"\s*\]\s*", value):
        raise ValidationError(
            f"{represented(value)} is a list inside a string, which would be split at its blanks; write the list itself"
        )
    variable = re.match(r"([A-Z_][A-Z0-9_]*)=", value)
    if variable and len(words) > 1:
        raise ValidationError(
            f"no shell reads the command, so {variable[0]}... would be the program; write "
            f'env={{"{variable[1]}": ...}}, '
            "or put the word in single quotes if it is a program of the image"
        )


def docker_words(value: Any) -> tuple[str, ...]:
    """The words of ``docker_args``: each entry of the list is one."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ValidationError(
            f'must be a list of words, such as ["--env-file", "/etc/shop.env"], not {represented(value)}'
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
            f"each entry is one word for docker, but {text[:80]!r} contains an option and its value; write "
            f"[{words}] as entries, or Literal(...) if it is one word"
        )
    second = _VALUE_AND_OPTION.fullmatch(text)
    if second and second[1] in OPTION_NAMES:
        words = ", ".join(repr(_kind_of(value, part)) for part in _by_shell(text, text.split()))
        raise ValidationError(
            f"each entry is one word for docker, but {text[:80]!r} contains two options; write [{words}] as entries, "
            "or Literal(...) if it is one word"
        )
    quoted = _ALL_IN_QUOTES.fullmatch(text)
    if quoted and _by_shell(text, []) == [f"{quoted[1] or ''}{quoted[2] or ''}{quoted['inside']}"]:
        raise ValidationError(
            f"no shell reads {text[:80]!r}, so the quotes would be part of the word; remove them, or write "
            "Literal(...) to keep them"
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
            raise ValidationError(f"{text[at : at + 40]!r} has an unbalanced quote; close it")
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
    """The characters that *piece* stands for, in a word that follows those in *before*."""
    found = str(piece[piece.lastgroup or 0])
    if piece.lastgroup == "bare" and not isinstance(value, Literal):
        operator = (_OPERATOR_OF_EXPAND if isinstance(value, Expand) else _OPERATOR).search(found)
        if operator:
            raise _needs_shell(operator[0], value)
    if piece.lastgroup != "double":
        return found
    if re.search(r"\\[$`]", found):
        raise ValidationError(
            f'"{found[:40]}" has an escaped $ or ` in double quotes; use single quotes, or write the command as a list'
        )
    if not isinstance(value, Expand | Literal) and not any(map(_TAKES_PROGRAM.fullmatch, before)):
        operator = _IN_QUOTES.search(found)
        if operator:
            raise _needs_shell(operator[0], value)
    return _ESCAPED_IN_QUOTES.sub(r"\1", found)


def _needs_shell(operator: str, value: str) -> ValidationError:
    shown = repr(value) if len(value) <= 200 else "..."  # noqa: PLR2004  letters
    return ValidationError(
        f"no shell reads the command, so {operator} would reach the program literally; to run a shell of the image "
        f"write "
        f'["sh", "-c", {shown}], to pass it literally use single quotes'
    )


def _kind_of(value: Any, text: str) -> str:
    return Expand(text) if isinstance(value, Expand) else str(text)
