"""What a text of a Fleetfile may have in it. Pure; raises `Mistake`.

Unit texts go to systemd and fleet, which end a line, or the text, at characters that are not seen; and through Pulumi
to a terminal. See `fleetcaptain.printable`.
"""

from __future__ import annotations

from typing import Any

from fleetcaptain.fleetfile.problem import Mistake
from fleetcaptain.printable import COLOUR_MARK, unprintable

__all__ = ["line_of_text", "verbatim", "word"]

_LINE_BYTES = 2048
_SHOWN = 5


def line_of_text(value: Any) -> str:
    """A text of one line that fits in a unit, and that `units.quoting` can write."""
    if not isinstance(value, str):
        raise Mistake(f"it must be a text, not {value!r}")
    if "\n" in value or "\r" in value:
        raise Mistake("it must be one line: fleet would read the next one as an option of its own")
    odd = unprintable(value)
    if odd:
        shown = ", ".join(odd[:_SHOWN])
        raise Mistake(f"it must not contain characters that are invisible or control a terminal; remove {shown}")
    if len(value.encode()) >= _LINE_BYTES - 64:
        raise Mistake(f"it is too long: fleet takes lines of less than {_LINE_BYTES} bytes")
    return value


def word(value: Any) -> str:
    """As `line_of_text`, and not empty."""
    text = line_of_text(value)
    if not text.strip():
        raise Mistake("it must not be empty")
    return text


def verbatim(value: Any) -> str:
    """As `line_of_text`, for what stands in the unit as it is."""
    text = line_of_text(value)
    if COLOUR_MARK in text:
        raise Mistake(
            f'it must not contain "{COLOUR_MARK}", which Pulumi takes for a colour; '
            'in a line for systemd write "\\\\x3c" for the "<"'
        )
    return text
