"""The terminal that standard output may be: its width, whether it shows colours, and a screen that is drawn again."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from fleetcaptain.styled import Line, painted, plain

__all__ = ["Screen", "colours", "is_terminal", "screen", "show_lines", "width"]

_WIDEST = 160
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _TO_LINE_END, _TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"


def is_terminal() -> bool:
    """Whether standard output is a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def colours(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether to use colours: on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return is_terminal() and not environ.get("NO_COLOR")


def width() -> int:
    """The width of the terminal; 80 when standard output is none."""
    return min(_WIDEST, shutil.get_terminal_size((80, 24)).columns) if is_terminal() else 80


def show_lines(lines: Sequence[Line]) -> None:
    """Print *lines*, in colours where `colours` says so."""
    text = painted if colours() else plain
    sys.stdout.write("".join(f"{text(line)}\n" for line in lines))
    sys.stdout.flush()


class Screen:
    """Draws a whole screen in place, without clearing it first, so that nothing flickers."""

    def draw(self, lines: Sequence[Line]) -> None:
        """Replace what is shown by as many of *lines* as fit."""
        text = painted if colours() else plain
        fitting = list(lines)[: max(1, shutil.get_terminal_size((80, 24)).lines - 1)]
        body = "".join(f"{text(line)}{_TO_LINE_END}\r\n" for line in fitting)
        sys.stdout.write(f"{_HOME}{body}{_TO_SCREEN_END}")
        sys.stdout.flush()


@contextmanager
def screen() -> Iterator[Screen]:
    """The terminal's other screen, without a cursor; whatever ends the block, the first one is shown again."""
    sys.stdout.write(_ENTER)
    sys.stdout.flush()
    try:
        yield Screen()
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
