"""A table of texts in columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fleetcaptain.printable import one_line

__all__ = ["text_table"]

_GAP = "  "


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of *rows* below *head*, each cell in one line."""
    lines = [list(map(one_line, line)) for line in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
