"""The terminal that standard output may be: its width, whether it shows colours, a screen that is drawn again, and
lines of logs."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from fleetcaptain.cli.printer import json_line
from fleetcaptain.logs.log_entry import LogEntry, as_json, label_of
from fleetcaptain.printable import one_line
from fleetcaptain.styled import INSTANCE_STYLES, Line, Span, painted, plain

__all__ = ["LogOutput", "Screen", "colours", "height", "is_terminal", "screen", "show_lines", "width"]

_WIDEST = 160
_FLUSH_SEC = 0.05
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


def height() -> int:
    """How many lines of text the terminal has; the last one stays free."""
    return max(1, shutil.get_terminal_size((80, 24)).lines - 1)


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
        fitting = list(lines)[: height()]
        body = "".join(f"{text(line)}{_TO_LINE_END}\n" for line in fitting)
        sys.stdout.write(f"{_HOME}{body}{_TO_SCREEN_END}")
        sys.stdout.flush()


@contextmanager
def screen() -> Iterator[Screen]:
    """The terminal's other screen, without a cursor; whatever ends the block, the first one is shown again. So it is
    while ^Z stops the process."""
    before = signal.getsignal(signal.SIGTSTP)
    sys.stdout.write(_ENTER)
    sys.stdout.flush()
    try:
        if before is signal.SIG_DFL:
            signal.signal(signal.SIGTSTP, _stop)
        yield Screen()
    finally:
        signal.signal(signal.SIGTSTP, before)
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()


def _stop(_signal: int, _frame: object) -> None:
    """Stop with the first screen, and show the other one when the process continues; the next `Screen.draw` fills it.
    Nothing is buffered: the signal may have interrupted a write."""
    os.write(sys.stdout.fileno(), _LEAVE.encode())
    os.kill(os.getpid(), signal.SIGSTOP)
    os.write(sys.stdout.fileno(), _ENTER.encode())


class LogOutput:
    """Prints entries of logs: each line with its instance, or each entry as a line of JSON. What was shown is on its
    way after `flush`, or after a moment."""

    def __init__(self, *, json_wanted: bool = False) -> None:
        self._json_wanted = json_wanted
        self._painted = not json_wanted and colours()
        self._styles: dict[str, str] = {}
        self._width = 0
        self._flushed_at = 0.0

    def show(self, entry: LogEntry) -> None:
        """Print *entry*. Raises BrokenPipeError when its reader has ended."""
        sys.stdout.write(json_line(as_json(entry)) if self._json_wanted else self._text(entry))
        now = time.monotonic()
        if now - self._flushed_at > _FLUSH_SEC:
            self._flushed_at = now
            sys.stdout.flush()

    def flush(self) -> None:
        """Let all that was shown out."""
        sys.stdout.flush()

    def abandon(self) -> None:
        """Print nothing more: what reads standard output has ended, as `head` does."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _text(self, entry: LogEntry) -> str:
        label = label_of(entry.unit, entry.address)
        self._width = max(self._width, len(label))
        style = self._styles.setdefault(label, INSTANCE_STYLES[len(self._styles) % len(INSTANCE_STYLES)])
        shown = painted if self._painted else plain
        prefix = Span(f"{one_line(label):<{self._width}} | ", style if self._painted else "")
        return "".join(f"{shown((prefix, Span(line)))}\n" for line in entry.lines)
