"""The output of ``captain``: everything that it prints passes `printable` or is JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from fleetcaptain.printable import printable

__all__ = ["echo", "echo_json"]


def echo(text: str, *, error: bool = False) -> None:
    """Print *text* to standard output, or to standard error if *error*."""
    _write(printable(text), sys.stderr if error else sys.stdout)


def echo_json(value: Any) -> None:
    """Print *value* to standard output as one line of ASCII JSON. The encoder escapes everything but DEL."""
    _write(json.dumps(value).replace("\x7f", "\\u007f"), sys.stdout)


def _write(line: str, stream: Any) -> None:
    stream.write(f"{line}\n")
    stream.flush()
