"""The windows of an app's services as lines of text for a terminal. They say everything without colour. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fleetcaptain.history.duration import format_duration
from fleetcaptain.printable import one_line
from fleetcaptain.schedule.forecast import Change, mark_of, next_change, what_of
from fleetcaptain.schedule.local_time import clock_in, day_and_clock_in, time_in
from fleetcaptain.schedule.outcome import Outcome, Result
from fleetcaptain.schedule.service_schedule import ServiceSchedule
from fleetcaptain.schedule.window_event import DEPLOYMENT
from fleetcaptain.styled import Line, Span, cut

__all__ = ["ahead_of", "details_of", "lines_of", "sentence_of"]


def lines_of(schedules: Sequence[ServiceSchedule], addresses: Mapping[str, str], width: int) -> tuple[Line, ...]:
    """The lines of *schedules*, each at most *width* characters. *addresses*: machine's id -> its address."""
    lines: list[Line] = []
    for schedule in schedules:
        lines += [(Span(""),)] if lines else []
        lines += _service(schedule, addresses)
    return tuple(tuple(_cut(line, width)) for line in lines)


def ahead_of(schedule: ServiceSchedule) -> str:
    """``12 until 04:30 CDT``, or ``4 -> 12 at 03:27 CDT``."""
    plan, now = schedule.plan, schedule.now
    upcoming = schedule.next[0] if schedule.next else next_change(schedule.service, plan, now, schedule.timezones)
    return mark_of(plan.desired(now), plan.base, upcoming, now)


def sentence_of(outcome: Outcome) -> str:
    """What happened, in one sentence: ``megaquery: ready 100 s before 03:30 CDT``."""
    change, margin = outcome.change, abs(outcome.margin_sec or 0)
    names = ", ".join(change.windows) or "a window of an earlier plan"
    by = clock_in(change.ready_by, change.timezone)
    sentence = {
        Result.READY: f"ready {margin} s before {by}",
        Result.LATE: f"late: ready {margin} s after {by}",
        Result.NOT_READY: f"late: not ready, due at {by}",
        Result.OPENING: f"starting, due at {by}",
        Result.OPEN: "open",
        Result.MISSED: f"missed: not opened by {by}" if change.opens else "missed: not closed",
        Result.CLOSING: "closing",
        Result.CLOSED: "closed" if (outcome.margin_sec or 0) < 1 else f"closed {format_duration(margin)} later",
    }[outcome.result]
    return f"{names}: {sentence}"


def details_of(outcome: Outcome, addresses: Mapping[str, str]) -> str:
    """When its instances were started and ready, or stopped, and by whom."""
    event = outcome.event
    if event is None:
        return "no agent did it" if outcome.is_bad else "nothing to do" if outcome.result is Result.OPEN else "due"
    zone = outcome.change.timezone
    verb = "opened" if outcome.change.opens else "closed"
    ready = f", ready {time_in(event.ready, zone)}" if event.ready is not None and outcome.change.opens else ""
    by = "a deployment" if event.by == DEPLOYMENT else addresses.get(event.by, event.by)
    return f"{verb} {time_in(event.at, zone)}{ready}, by {by}"


def _service(schedule: ServiceSchedule, addresses: Mapping[str, str]) -> Iterator[Line]:
    lead = f"windows open {schedule.plan.lead_sec} s before ready_by"
    yield (Span(one_line(schedule.service), "bold"), Span(f": {ahead_of(schedule)}; {lead}"))
    yield (Span("  NEXT 24 H", "dim"),)
    if not schedule.next:
        yield (Span("  no window opens or closes"),)
    for change in schedule.next:
        yield _row(" ", change, what_of(change), "")
    yield (Span("  LAST 24 H", "dim"),)
    if not schedule.last:
        yield (Span("  no window opened or closed"),)
    for outcome in schedule.last:
        style = "bad" if outcome.is_bad else ""
        row = _row("!" if outcome.is_bad else " ", outcome.change, sentence_of(outcome), style)
        yield row
        margin = len(row[0].text) - len(sentence_of(outcome))
        yield (Span(f"{'':{margin}}{one_line(details_of(outcome, addresses))}", style or "dim"),)


def _row(sign: str, change: Change, what: str, style: str) -> Line:
    when = day_and_clock_in(change.at, change.timezone)
    return (Span(f"{sign} {when:<13}  {change.before:>3} -> {change.after:<3}  {one_line(what)}", style),)


def _cut(line: Line, width: int) -> Iterator[Span]:
    left = width
    for span in line:
        yield Span(cut(span.text, left), span.style)
        left -= min(left, len(span.text))
