"""A table of texts in columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fleetcaptain.printable import one_line

__all__ = ["text_table"]

_GAP = "  "


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of *rows* below *head*. A column that is empty in all rows is left out."""
    used = [column for column in range(len(head)) if any(row[column] for row in rows)]
    lines = [[one_line(line[column]) for column in used] for line in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(used))]
    return [_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
