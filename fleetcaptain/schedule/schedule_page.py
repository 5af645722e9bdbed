"""The windows of an app's services as one HTML file: planned against real instances over 48 hours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fleetcaptain.history.html_page import html_page, safe
from fleetcaptain.schedule.forecast import DAY_SEC, Change, what_of
from fleetcaptain.schedule.local_time import day_and_clock_in, hour_in, minute_in
from fleetcaptain.schedule.outcome import Outcome
from fleetcaptain.schedule.schedule_view import ahead_of, details_of, sentence_of
from fleetcaptain.schedule.service_schedule import ServiceSchedule

__all__ = ["schedule_page"]

_LEFT, _CHART, _TOP, _AREA = 40, 1120, 24, 150
_WIDTH, _BOTTOM = _LEFT + _CHART + 20, _TOP + _AREA
_HOURS, _DAY_HOURS = 6, 24
_STYLE = """\
:root { --planned: #0969da; --late: #ffebe9; }
@media (prefers-color-scheme: dark) { :root { --planned: #58a6ff; --late: #3d1518; } }
.real { fill: var(--good); fill-opacity: .25; stroke: var(--good); stroke-width: 1.5; }
.planned { fill: none; stroke: var(--planned); stroke-width: 1.5; stroke-dasharray: 5 3; }
.now { stroke: var(--text); stroke-width: 1.5; }
.due { stroke: var(--good); stroke-width: 1.5; }
.ahead { stroke: var(--planned); stroke-width: 1.5; }
.bad { stroke: var(--bad); stroke-width: 2.5; }
.missing { fill: var(--late); }
text.bad { fill: var(--bad); stroke: none; font-weight: bold; }
table { border-collapse: collapse; margin: .5rem 0; }
td, th { text-align: left; padding: .15rem 1.25rem .15rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: normal; }
tr.bad td { color: var(--bad); font-weight: bold; }
li span.key { height: 0; border: none; border-top: 3px solid var(--planned); vertical-align: middle; }
li span.key.planned { border-top-style: dashed; }
li span.key.real { border-color: var(--good); }
li span.key.due, li span.key.late { width: 0; height: 1rem; border: none; border-left: 2px solid var(--planned); }
li span.key.late { border-color: var(--bad); }
"""
_LEGEND = (
    '<ul><li><span class="key planned"></span>planned instances</li>'
    '<li><span class="key real"></span>instances that were ready</li>'
    '<li><span class="key due"></span>ready_by</li>'
    '<li><span class="key late"></span>late or missed</li></ul>'
)


def schedule_page(title: str, schedules: Sequence[ServiceSchedule], addresses: Mapping[str, str]) -> str:
    """The page *title* with a picture and a table of each of *schedules*. *addresses*: machine's id -> its address."""
    body = [_LEGEND, *(line for schedule in schedules for line in _section(schedule, addresses))]
    return html_page(title, _STYLE, "\n".join(body))


def _section(schedule: ServiceSchedule, addresses: Mapping[str, str]) -> Iterator[str]:
    plan = schedule.plan
    heading = f"{schedule.service}: {ahead_of(schedule)}"
    about = f"{heading}. Windows open {plan.lead_sec} s before ready_by."
    yield f"<h2>{safe(heading)}</h2>"
    yield f'<svg viewBox="0 0 {_WIDTH} {_BOTTOM + 24}" role="img" aria-label="{safe(about)}">'
    yield from _picture(schedule)
    yield "</svg>"
    yield "<table>"
    yield "<tr><th>When</th><th>Instances</th><th>Window</th><th>Details</th></tr>"
    for outcome in schedule.last:
        details = details_of(outcome, addresses)
        yield _row(outcome.change, sentence_of(outcome), details, "bad" if outcome.is_bad else "")
    for change in schedule.next:
        yield _row(change, what_of(change), "planned", "")
    yield "</table>"


def _row(change: Change, what: str, details: str, kind: str) -> str:
    cells = (minute_in(change.at, change.timezone), f"{change.before} -> {change.after}", what, details)
    return f'<tr class="{kind}">{"".join(f"<td>{safe(cell)}</td>" for cell in cells)}</tr>'


def _picture(schedule: ServiceSchedule) -> Iterator[str]:
    now = schedule.now
    most = max(1, *(number for _, number in (*schedule.planned, *schedule.real)))
    for outcome in schedule.last:
        if outcome.is_bad:
            yield _missing(outcome, schedule)
    yield from _axes(schedule, most)
    yield f'<path class="real" d="{_steps(schedule.real, now, now, most)} V{_BOTTOM} H{_LEFT} Z"/>'
    yield f'<path class="planned" d="{_steps(schedule.planned, now + DAY_SEC, now, most)}"/>'
    for outcome in schedule.last:
        if outcome.change.opens or outcome.is_bad:
            at = outcome.change.ready_by or outcome.change.at
            yield _mark(at, now, "bad" if outcome.is_bad else "due", sentence_of(outcome))
    for change in schedule.next:
        if change.opens:
            yield _mark(change.ready_by, now, "ahead", what_of(change))
    x = _x(now, now)
    yield f'<line class="now" x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{_BOTTOM}"/>'
    yield f'<text x="{x}" y="{_TOP - 12}" text-anchor="middle">now</text>'


def _axes(schedule: ServiceSchedule, most: int) -> Iterator[str]:
    """The axis of time in the zone of the service's windows, and the numbers of instances."""
    levels = sorted({0, schedule.plan.base, most})
    for level in levels:
        y = _y(level, most)
        yield f'<line class="axis" x1="{_LEFT}" y1="{y}" x2="{_LEFT + _CHART}" y2="{y}"/>'
        yield f'<text class="faint" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{level}</text>'
    for hours in range(-_DAY_HOURS, _DAY_HOURS + 1, _HOURS):
        at = schedule.now + hours * 3600
        anchor = {-_DAY_HOURS: "start", _DAY_HOURS: "end"}.get(hours, "middle")
        place = f'x="{_x(at, schedule.now)}" y="{_BOTTOM + 18}" text-anchor="{anchor}"'
        written = day_and_clock_in if hours == -_DAY_HOURS else hour_in
        yield f'<text class="faint" {place}>{written(at, schedule.timezone)}</text>'


def _steps(points: Sequence[tuple[int, int]], end: int, now: int, most: int) -> str:
    """The step line of *points* until *end*."""
    path = [f"M{_x(points[0][0], now)} {_y(points[0][1], most)}"]
    for at, number in points[1:]:
        path += [f"H{_x(at, now)}", f"V{_y(number, most)}"]
    return " ".join((*path, f"H{_x(end, now)}"))


def _mark(at: int, now: int, kind: str, about: str) -> str:
    """A ``ready_by``: a line with a text for the pointer."""
    x = _x(at, now)
    place = f'x1="{x}" y1="{_TOP}" x2="{x}" y2="{_BOTTOM}"'
    shown = f'<text class="bad" x="{x}" y="{_TOP - 4}" text-anchor="middle">!</text>' if kind == "bad" else ""
    return f'<line class="{kind}" {place}><title>{safe(about)}</title></line>{shown}'


def _missing(outcome: Outcome, schedule: ServiceSchedule) -> str:
    """A band from when instances should have been ready, or stopped, until they were."""
    begin = outcome.change.ready_by or outcome.change.at
    ends = [at for at, _ in schedule.planned if at > begin]
    end = min([schedule.now, *ends])
    if outcome.event is not None and outcome.event.ready is not None:
        end = outcome.event.ready
    left, right = _x(begin, schedule.now), _x(end, schedule.now)
    place = f'x="{left}" y="{_TOP}" width="{max(2.0, round(right - left, 1))}" height="{_AREA}"'
    return f'<rect class="missing" {place}><title>{safe(sentence_of(outcome))}</title></rect>'


def _x(at: int, now: int) -> float:
    """The place of a moment, within the picture."""
    share = (at - now + DAY_SEC) / (2 * DAY_SEC)
    return round(_LEFT + _CHART * min(1.0, max(0.0, share)), 1)


def _y(number: int, most: int) -> float:
    return round(_BOTTOM - _AREA * number / most, 1)
