"""Removes the empty attribute files that a killed Pulumi left in its state; Pulumi refuses the files beside them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["drop_empty_attributes"]


def drop_empty_attributes(state: Path) -> tuple[str, ...]:
    """Remove each empty ``.attrs`` file in Pulumi's *state*; the names of the files that they belong to.

    Pulumi writes a file's MIME type and checksum into one beside it, in two steps. Killed between them, it says
    ``failed to load checkpoint: EOF`` from then on. It needs none: without one it takes the file as it is. So this is
    safe while a Pulumi runs, too.
    """
    empty = [file for file in sorted((state / ".pulumi").rglob("*.attrs")) if _is_empty(file)]
    for file in empty:
        file.unlink(missing_ok=True)
    return tuple(file.stem for file in empty)


def _is_empty(file: Path) -> bool:
    try:
        return file.stat().st_size == 0
    except FileNotFoundError:
        return False  # a Pulumi that runs has just removed it
