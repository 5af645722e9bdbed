"""Lists rollouts as a table. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.rollout_record import WITHOUT_TEXT, RolloutRecord
from fleetcaptain.printable import one_line

__all__ = ["cut", "history_table", "minute_of", "what_of"]

_HEAD = ("WHEN (UTC)", "SERVICE", "WHAT", "TOOK", "RESULT", "WHO")
# The columns that are cut when the table is too wide, and how wide they stay. WHAT is never cut: releases may differ at
# their ends only, and `captain timeline` takes the whole tag.
_LEAST_WIDTH = {1: 8, 5: 3}
_MORE = "..."
_HASH = 8
_MINUTE = len("2030-01-02 03:04")


def history_table(records: Sequence[RolloutRecord], width: int | None) -> list[str]:
    """The lines of the table of *records*, in their order; below a rollout its error. They are cut to *width* columns
    as far as the names of the releases allow, and not at all without a *width*."""
    lines = [_HEAD, *(tuple(map(one_line, _cells(record))) for record in records)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        flexible = [column for column, least in _LEAST_WIDTH.items() if widths[column] > least]
        if not flexible:
            break
        widths[max(flexible, key=lambda column: widths[column])] -= 1
    table = []
    for line, record in zip(lines, (None, *records), strict=True):
        cells = (cut(cell, size).ljust(size) for cell, size in zip(line, widths, strict=True))
        table.append("  ".join(cells).rstrip())
        if record is not None and record.error:
            error = f"  {one_line(record.error)}"
            table.append(error if width is None else cut(error, width))
    return table


def minute_of(when: str) -> str:
    """The minute of an ISO 8601 time, with a blank: ``2030-01-02 03:04``."""
    return when.replace("T", " ")[:_MINUTE]


def what_of(record: RolloutRecord) -> str:
    """What was deployed: the release, or what else the rollout did, or the start of its unit hash."""
    if record.release:
        return f"{record.release} (rollback)" if record.rollback else record.release
    return record.strategy if record.strategy in WITHOUT_TEXT else record.to[:_HASH]


def cut(text: str, width: int) -> str:
    """*text* in at most *width* columns, its end replaced by dots."""
    return text if len(text) <= width else text[: max(0, width - len(_MORE))] + _MORE


def _cells(record: RolloutRecord) -> tuple[str, ...]:
    took = format_duration(record.seconds) if record.until else "-"
    return minute_of(record.since), record.service, what_of(record), took, record.state, record.who
