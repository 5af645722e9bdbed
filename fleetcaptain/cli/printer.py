"""The output of ``captain``: everything that it prints passes `printable` or is JSON."""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO

from fleetcaptain.printable import printable

__all__ = ["bytes_output", "echo", "echo_json", "json_line", "progress"]


def echo(text: str, *, error: bool = False) -> None:
    """Print *text* to standard output, or to standard error if *error*."""
    _write(f"{printable(text)}\n", sys.stderr if error else sys.stdout)


def bytes_output() -> BinaryIO:
    """Standard output, for what is no text."""
    return sys.stdout.buffer


def progress(line: str) -> None:
    """Print a *line* of progress to standard error."""
    echo(line, error=True)


def echo_json(value: Any) -> None:
    """Print *value* to standard output as one line of ASCII JSON."""
    _write(json_line(value), sys.stdout)


def json_line(value: Any) -> str:
    """*value* as one line of ASCII JSON, with its end. The encoder escapes everything but DEL."""
    return json.dumps(value).replace("\x7f", "\\u007f") + "\n"


def _write(text: str, stream: Any) -> None:
    stream.write(text)
    stream.flush()
