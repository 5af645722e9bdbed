"""The option ``--html`` of commands, and the file that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleetcaptain.cli.printer import echo
from fleetcaptain.errors import FleetCaptainError

__all__ = ["Html", "write_page"]

Html = Annotated[Path | None, typer.Option("--html", help="Write a page for browsers instead.", metavar="FILE")]


def write_page(path: Path, text: str) -> None:
    """Write the page *text* to *path*, and say so. Raises FleetCaptainError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FleetCaptainError(
            f"Could not write {path}: {error.strerror}. Choose another file with --html and run the same command again."
        ) from error
    echo(f"Wrote {path}.", error=True)
