"""The timeline of a rollout: a line for each instance with its states over time, and how many served. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.history_table import cut, minute_of, what_of
from fleetcaptain.history.rollout_record import InstanceRecord, RolloutRecord, State
from fleetcaptain.printable import one_line

__all__ = ["MEANINGS", "Span", "heading", "label_of", "length_of", "lowest", "spans", "timeline"]

MEANINGS = {
    State.OLD: "serves the old version",
    State.DRAINING: "out of discovery, still answers",
    State.STOPPING: "stopping",
    State.STOPPED: "stopped",
    State.STARTING: "starting",
    State.READY: "ready, must stay healthy",
    State.DONE: "done",
    State.FAILED: "failed",
    State.REMOVED: "removed",
}
_BLOCKS = {
    State.OLD: "─",
    State.DRAINING: "╌",
    State.STOPPING: "░",
    State.STOPPED: "·",
    State.STARTING: "▒",
    State.READY: "▓",
    State.DONE: "█",
    State.FAILED: "!",
    State.REMOVED: " ",
}
# Of the states within one column the first of these is shown: a short outage must not disappear.
_SHOWN_FIRST = (State.FAILED, State.STOPPED, State.STOPPING, State.STARTING, State.DRAINING, State.READY, State.DONE)
_LEVELS = "▁▂▃▄▅▆▇█"
_UNKNOWN = "?"
_LONGEST_LABEL = 32
_LEAST_COLUMNS = 10


@dataclass(frozen=True)
class Span:
    """A *state* from the second *start* to the second *end* of a rollout."""

    start: float
    end: float
    state: str


def length_of(record: RolloutRecord) -> float:
    """The length of *record*'s timeline in seconds, at least one."""
    moments = [at for one in record.instances.values() for at, _ in one.states]
    return max([1.0, record.seconds, *moments, *(at for at, _ in record.serving)])


def spans(instance: InstanceRecord, end: float) -> tuple[Span, ...]:
    """The states of *instance* until the second *end*."""
    ends = [at for at, _ in instance.states[1:]] + [end]
    return tuple(Span(at, until, state) for (at, state), until in zip(instance.states, ends, strict=False))


def lowest(record: RolloutRecord) -> int:
    """The fewest instances that served at any time."""
    return min((number for _, number in record.serving), default=0)


def heading(record: RolloutRecord) -> str:
    """One line about *record*: what, how it ended, how long it took, when and by whom."""
    took = f" in {format_duration(record.seconds)}" if record.until else ""
    head = f"{record.service} {what_of(record)}: {record.state}{took}"
    return one_line(f"{head} ({minute_of(record.since)} UTC, {record.who})")


def label_of(name: str, instance: InstanceRecord) -> str:
    """The name of an instance, and its machine."""
    short = name.removesuffix(".service")
    return one_line(short if instance.machine in ("", name) else f"{short} {instance.machine}")


def timeline(records: Sequence[RolloutRecord], width: int) -> list[str]:
    """The timelines of *records* in *width* columns, and what their signs mean."""
    lines: list[str] = []
    used: set[str] = set()
    for record in records:
        lines += [*_picture(record, width), ""]
        used |= {state for one in record.instances.values() for _, state in one.states}
    signs = [
        f"{_BLOCKS[state]} {meaning}" for state, meaning in MEANINGS.items() if state in used and state != "removed"
    ]
    return [*lines, *_wrapped(signs, width)]


def _picture(record: RolloutRecord, width: int) -> Iterator[str]:
    yield cut(heading(record), width)
    if record.error:
        yield cut(f"  {one_line(record.error)}", width)
    if not record.instances:
        yield "  No instance was recorded."
        return
    labels = {name: label_of(name, one) for name, one in record.instances.items()}
    margin = min(_LONGEST_LABEL, max(len("serving"), *(len(label) for label in labels.values())))
    columns = max(_LEAST_COLUMNS, width - margin - 4)
    end = length_of(record)
    for name, one in record.instances.items():
        yield f"  {cut(labels[name], margin):{margin}}  {_bar(spans(one, end), end, columns)}".rstrip()
    wanted = max([record.wanted, *(number for _, number in record.serving)])
    yield f"  {'serving':{margin}}  {_levels(record, end, columns, wanted)}".rstrip()
    least = f"at least {lowest(record)} of {record.wanted}" if record.wanted else f"at least {lowest(record)}"
    yield f"  {'':{margin}}  0 s{least:^{columns - 3 - len(format_duration(end))}}{format_duration(end)}"


def _bar(found: Sequence[Span], end: float, columns: int) -> str:
    signs = []
    for column in range(columns):
        start, stop = column * end / columns, (column + 1) * end / columns
        states = [span.state for span in found if span.start < stop and span.end > start]
        shown = next((state for state in _SHOWN_FIRST if state in states), states[-1] if states else State.REMOVED)
        signs.append(_BLOCKS.get(shown, _UNKNOWN))
    # The last state may have begun at the very end.
    last = _BLOCKS.get(found[-1].state, _UNKNOWN) if found else ""
    return "".join(signs[: columns - len(last)]) + last


def _levels(record: RolloutRecord, end: float, columns: int, wanted: int) -> str:
    signs = []
    ends = [at for at, _ in record.serving[1:]] + [end]
    points = [(at, until, number) for (at, number), until in zip(record.serving, ends, strict=False)]
    for column in range(columns):
        start, stop = column * end / columns, (column + 1) * end / columns
        numbers = [number for at, until, number in points if at < stop and until > start]
        least = min(numbers, default=0)
        signs.append(_LEVELS[max(0, least * len(_LEVELS) // wanted - 1)] if least else "0")
    return "".join(signs)


def _wrapped(words: Sequence[str], width: int) -> list[str]:
    lines = [""]
    for word in words:
        longer = f"{lines[-1]}   {word}" if lines[-1] else word
        if len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines if words else []
