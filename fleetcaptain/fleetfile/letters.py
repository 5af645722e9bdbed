"""What a text of a Fleetfile may have in it, and who reads its ``%`` and ``$``. Pure; raises `ValidationError`.

Unit texts go to systemd and fleet, which end a line, or the text, at characters that are not seen; and through Pulumi
to a terminal. See `fleetcaptain.printable`.
"""

from __future__ import annotations

import re
from typing import Any

from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import Expand, Literal
from fleetcaptain.printable import COLOUR_MARK, unprintable

__all__ = ["FOLDABLE", "check_specifiers", "check_verbatim", "letters", "line_of_text", "sample", "verbatim", "word"]

# go-systemd's limit on one physical line, less the names and quotes around a text.
_LINE_BYTES = 2048 - 64
_SHOWN = 5
_SHOWN_LETTERS = 200
FOLDABLE = re.compile(r"(?<!\\) (?![\s#;])")
"""A blank at which a unit's line can be continued: systemd reads a backslash and the line end after it as one blank,
also in quotes. The next line must not look like a comment, and keeps its own blanks."""
# Written with a backslash or doubled in a unit.
_ESCAPED = re.compile(r"[\\%$'\"\t]")
# `unit_full_printf` of systemd 252, without the deprecated ones (c, r, R).
_SPECIFIERS = frozenset("aAbBCdEfgGhHiIjJlLmMnNopPsStTuUvVwWyY")
# Those that units of fleet have in the commands that they run. A format of dates has others too, as in %Y-%m-%d.
_USUAL = "iInNpPHmb"
_PERCENT = re.compile(r"%(.?)", re.DOTALL)
_MACHINE_VARIABLE = re.compile(r"\$(\{?)(COREOS_[A-Z0-9_]+)\}?")
_REPLACED = re.compile(r"%(?P<specifier>.?)|\$(?P<variable>\$|\{[^}]*\}?|[A-Za-z_0-9]*)", re.DOTALL)
_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


def line_of_text(value: Any) -> str:
    """A text of one line that fits in a unit, and that `units.quoting` can write."""
    if isinstance(value, Expand | Literal):
        raise ValidationError(
            f"it must be a plain text: {type(value).__name__}(...) is for what the container gets and for description, "
            "and systemd reads its own lines as they are"
        )
    return _line(value)


def word(value: Any) -> str:
    """As `line_of_text`, and not empty."""
    text = line_of_text(value)
    if not text.strip():
        raise ValidationError("it must not be empty")
    return text


def verbatim(value: Any) -> str:
    """As `line_of_text`, for what stands in the unit as it is."""
    return check_verbatim(line_of_text(value))


def check_verbatim(text: str) -> str:
    """*text*, when it can stand in the unit as it is. Raises Mistake."""
    if text.rstrip().endswith("\\"):
        raise ValidationError("it must not end in a backslash, which would join it with the option after it; remove it")
    if COLOUR_MARK in text:
        raise ValidationError(
            f'it must not contain "{COLOUR_MARK}", which Pulumi takes for a colour; '
            'in a line for systemd write "\\\\x3c" for the "<"'
        )
    return text


def letters(value: Any, *, variables: bool = True) -> str:
    """A text for the container: letters, or an `Expand` whose parts systemd can replace. A plain text that could be
    either is refused. *variables*: whether systemd replaces ``${VARIABLES}`` there."""
    text = _line(value)
    if isinstance(value, Expand):
        _check_replaced(text, variables)
        return Expand(text)
    found = None if isinstance(value, Literal) else _ambiguous(text)
    if found:
        raise ValidationError(
            f"{found} could be replaced on the machine, or be letters; write {_shown(Expand(_as_expand(text)))} to "
            f"have it replaced, or {_shown(Literal(text))} for the letters"
        )
    return text


def sample(text: str) -> str:
    """*text* with an ``x`` for each part of an `Expand` that the machine replaces, so that its form can be checked."""
    if not isinstance(text, Expand):
        return text
    return _REPLACED.sub(lambda found: found[0][0] if found[0] in ("%%", "$$") else "x", text)


def _line(value: Any) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"it must be a text, not {represented(value)}")
    text = str.__str__(value)
    if "\n" in text or "\r" in text:
        raise ValidationError(
            "it must be one line: fleet would read the next one as an option of its own; join the lines (for "
            "sh -c with ;), or put them into a file of the image or of the machines"
        )
    odd = unprintable(text)
    if odd:
        shown = ", ".join(odd[:_SHOWN])
        raise ValidationError(
            f"it must not contain characters that are invisible or control a terminal; remove {shown}"
        )
    longest = max(len(part.encode()) + len(_ESCAPED.findall(part)) for part in FOLDABLE.split(text))
    if longest >= _LINE_BYTES:
        raise ValidationError(
            f"it is too long: {longest:,} bytes of it have no blank at which a unit's line could be continued, and "
            f"fleet takes lines of less than 2,048 bytes. Put it into a file of the image or of the machines, and pass "
            'the file: docker_args=["--env-file", "/etc/..."] for variables, volumes=["/etc/...:/...:ro"] for others'
        )
    return text


def check_specifiers(text: str) -> None:
    """Raise Mistake when a percent sign in *text*, which systemd reads, begins no specifier of its."""
    for specifier in _PERCENT.findall(text):
        if specifier != "%" and specifier not in _SPECIFIERS:
            raise ValidationError(f'"%{specifier}" is no specifier of systemd; write %% for a percent sign')


def _check_replaced(text: str, variables: bool) -> None:
    check_specifiers(text)
    for found in _REPLACED.finditer(text):
        variable = found["variable"]
        if variable is None:
            continue
        if not variables:
            raise ValidationError(
                f'"{found[0]}": systemd replaces specifiers only here, no variables; remove the dollar sign'
            )
        if variable != "$" and not _VARIABLE.fullmatch(variable):
            raise ValidationError(
                f'"{found[0]}": write ${{NAME}} for a variable of the machine, or $$ for a dollar sign'
            )


def _ambiguous(text: str) -> str:
    """What in the plain *text* is usual for a part that the machine replaces; "" where nothing is."""
    variable = _MACHINE_VARIABLE.search(text)
    if variable:
        return variable[0]
    specifiers = _PERCENT.findall(text)
    usual = specifiers and all(letter and letter in _USUAL for letter in specifiers)
    return f"%{specifiers[0]}" if usual else ""


def _as_expand(text: str) -> str:
    """*text* as an `Expand` with the same meaning but for what `_ambiguous` finds."""
    text = re.sub(rf"%(?![{_USUAL}])", "%%", text)
    text = _MACHINE_VARIABLE.sub(r"${\2}", text)
    return re.sub(r"\$(?!\{[A-Za-z_][A-Za-z0-9_]*\})", "$$", text)


def _shown(text: Expand | Literal) -> str:
    return repr(text) if len(text) <= _SHOWN_LETTERS else f"{type(text).__name__}(...)"
