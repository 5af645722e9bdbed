"""The characters that a string of a Fleetfile may contain, and who reads its ``%`` and ``$``. Pure; raises
`ValidationError`.

Unit texts go to systemd and fleet, which end a line or the text at some invisible characters, and through Pulumi to a
terminal. See `fleetcaptain.printable`.
"""

from __future__ import annotations

import re
from typing import Any

from fleetcaptain.fleetfile.validation_error import ValidationError, represented
from fleetcaptain.fleetfile.values import Expand, Literal, Plain
from fleetcaptain.printable import COLOUR_MARK, unprintable

__all__ = [
    "FOLDABLE",
    "check_specifiers",
    "check_verbatim",
    "letters",
    "letters_of_check",
    "line_of_text",
    "sample",
    "verbatim",
    "word",
]

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
# The ones that are usual in commands of fleet units. A date format also has others, as in %Y-%m-%d. The machine agent
# replaces these: `expanded` in fleetcaptain/agent/section.sh.
_USUAL = "iInNpPHmb"
_PERCENT = re.compile(r"%(.?)", re.DOTALL)
_MACHINE_VARIABLE = re.compile(r"\$(\{?)(COREOS_[A-Z0-9_]+)\}?")
_REPLACED = re.compile(r"%(?P<specifier>.?)|\$(?P<variable>\$|\{[^}]*\}?|[A-Za-z_0-9]*)", re.DOTALL)
_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


def line_of_text(value: Any) -> str:
    """A string of one line that fits in a unit, and that `units.quoting` can write."""
    if isinstance(value, Expand | Literal):
        raise ValidationError(
            f"must be a plain string: {type(value).__name__}(...) is only for values of the container and for "
            f"description"
        )
    return _line(value)


def word(value: Any) -> str:
    """As `line_of_text`, and not empty."""
    text = line_of_text(value)
    if not text.strip():
        raise ValidationError("must not be empty")
    return text


def verbatim(value: Any) -> str:
    """As `line_of_text`, for a string that the unit contains verbatim."""
    return check_verbatim(line_of_text(value))


def check_verbatim(text: str) -> str:
    """*text*, if the unit can contain it verbatim. Raises `ValidationError`."""
    if text.rstrip().endswith("\\"):
        raise ValidationError(
            "must not end in a backslash, which would join it with the next option; remove the backslash"
        )
    if COLOUR_MARK in text:
        raise ValidationError(
            f'must not contain "{COLOUR_MARK}", which Pulumi reads as a colour; '
            'in a systemd line write "\\\\x3c" for the "<"'
        )
    return text


def letters(value: Any, *, variables: bool = True) -> str:
    """A string for the container: literal, or an `Expand` whose parts systemd replaces. A plain string that could be
    either is refused. *variables*: whether systemd replaces ``${VARIABLES}`` there."""
    text = _line(value)
    if isinstance(value, Expand):
        _check_replaced(text, variables)
        return Expand(text)
    found = None if isinstance(value, Literal) else _ambiguous(text)
    if found:
        raise ValidationError(
            f"{found} is ambiguous: write {_shown(Expand(_as_expand(text)))} to have it replaced on the machine, or "
            f"{_shown(Literal(text))} to keep it literally"
        )
    return text


def letters_of_check(value: Any) -> str:
    """As `letters`, for a check that the machine agent makes: it replaces fewer specifiers than systemd."""
    text = letters(value)
    for specifier in _PERCENT.findall(text) if isinstance(text, Expand) else ():
        if specifier not in f"%{_USUAL}":
            known = " ".join(f"%{one}" for one in _USUAL)
            raise ValidationError(
                f'"%{specifier}" is not replaced in a check, which the machine agent makes; use {known}, or a variable '
                "of the machine as ${NAME}"
            )
    return text


def sample(text: str) -> str:
    """*text* with an ``x`` for each part of an `Expand` that the machine replaces, so that its form can be checked."""
    if not isinstance(text, Expand):
        return text
    return _REPLACED.sub(lambda found: found[0][0] if found[0] in ("%%", "$$") else "x", text)


def _line(value: Any) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"must be a string, not {represented(value)}")
    if isinstance(value, Plain):
        raise ValidationError("Plain(...) is only for values of env and of Build(args=); write the string itself")
    text = str.__str__(value)
    if "\n" in text or "\r" in text:
        raise ValidationError(
            "must be one line, because fleet would read the next line as another option; join the lines (for "
            "sh -c with ;), or put them into a file of the image or of the machines"
        )
    odd = unprintable(text)
    if odd:
        shown = ", ".join(odd[:_SHOWN])
        raise ValidationError(f"must not contain characters that are invisible or control a terminal; remove {shown}")
    longest = max(len(part.encode()) + len(_ESCAPED.findall(part)) for part in FOLDABLE.split(text))
    if longest >= _LINE_BYTES:
        raise ValidationError(
            f"is too long: {longest:,} bytes of it have no blank at which the line could be continued, and fleet "
            f"accepts "
            f"only lines of less than 2,048 bytes. Put it into a file of the image or of the machines, and pass "
            'the file: docker_args=["--env-file", "/etc/..."] for variables, volumes=["/etc/...:/...:ro"] for others'
        )
    return text


def check_specifiers(text: str) -> None:
    """Raise `ValidationError` if a percent sign in *text* does not begin a systemd specifier."""
    for specifier in _PERCENT.findall(text):
        if specifier != "%" and specifier not in _SPECIFIERS:
            raise ValidationError(f'"%{specifier}" is not a systemd specifier; write %% for a percent sign')


def _check_replaced(text: str, variables: bool) -> None:
    check_specifiers(text)
    for found in _REPLACED.finditer(text):
        variable = found["variable"]
        if variable is None:
            continue
        if not variables:
            raise ValidationError(
                f'"{found[0]}": systemd replaces only specifiers here, not variables; remove the dollar sign'
            )
        if variable != "$" and not _VARIABLE.fullmatch(variable):
            raise ValidationError(
                f'"{found[0]}": write ${{NAME}} for a variable of the machine, or $$ for a dollar sign'
            )


def _ambiguous(text: str) -> str:
    """The part of the plain *text* that looks as if the machine should replace it; "" if there is none."""
    variable = _MACHINE_VARIABLE.search(text)
    if variable:
        return variable[0]
    specifiers = _PERCENT.findall(text)
    usual = specifiers and all(letter and letter in _USUAL for letter in specifiers)
    return f"%{specifiers[0]}" if usual else ""


def _as_expand(text: str) -> str:
    """*text* as an `Expand` with the same meaning, except for what `_ambiguous` finds."""
    text = re.sub(rf"%(?![{_USUAL}])", "%%", text)
    text = _MACHINE_VARIABLE.sub(r"${\2}", text)
    return re.sub(r"\$(?!\{[A-Za-z_][A-Za-z0-9_]*\})", "$$", text)


def _shown(text: Expand | Literal) -> str:
    return repr(text) if len(text) <= _SHOWN_LETTERS else f"{type(text).__name__}(...)"
