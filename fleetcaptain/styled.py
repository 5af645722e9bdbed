"""Text with styles for a terminal: a style adds colour, and never meaning that the text does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from fleetcaptain.printable import printable

__all__ = ["INSTANCE_STYLES", "Line", "Span", "cut", "painted", "plain"]

INSTANCE_STYLES = ("cyan", "green", "yellow", "magenta", "blue", "bright cyan", "bright green", "bright magenta")
"""The styles that tell instances apart."""

_CODES: Mapping[str, str] = MappingProxyType(
    {
        "bold": "1",
        "dim": "2",
        "bad": "31",
        "good": "32",
        "warn": "33",
        "green": "32",
        "yellow": "33",
        "blue": "34",
        "magenta": "35",
        "cyan": "36",
        "bright green": "92",
        "bright magenta": "95",
        "bright cyan": "96",
    }
)
_MORE = ".."


@dataclass(frozen=True)
class Span:
    """A piece of a line: its *text*, and its *style*, "" for none."""

    text: str
    style: str = ""


Line = Sequence[Span]
"""One line of the screen, without its end."""


def plain(line: Line) -> str:
    """The printable text of *line*, without blanks at its end."""
    return "".join(printable(span.text) for span in line).rstrip()


def painted(line: Line) -> str:
    """As `plain`, with the colours of the styles."""
    parts = []
    for span in line:
        code, text = _CODES.get(span.style), printable(span.text)
        parts.append(f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text)
    return "".join(parts).rstrip()


def cut(text: str, width: int) -> str:
    """*text* in at most *width* characters; ``..`` stands for the rest."""
    if len(text) <= width:
        return text
    return text[: max(0, width - len(_MORE))] + _MORE[:width]
