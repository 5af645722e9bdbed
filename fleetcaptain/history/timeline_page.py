"""The timeline of a release as one HTML file: inline SVG, no scripts, nothing from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.html_page import html_page, safe
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.history.timeline import MEANINGS, Span, heading, label_of, length_of, lowest, spans

__all__ = ["timeline_page"]

_LABEL, _CHART, _ROW, _BAR, _AREA = 260, 900, 24, 16, 48
_WIDTH = _LABEL + _CHART + 20
_STYLE = """\
:root { --old: #8c959f; --draining: #c9a0dc; --stopping: #f2cc60; --stopped: #f6e3b4; --starting: #79b8ff;
  --ready: #7ee2a0; --done: var(--good); --failed: var(--bad); --removed: transparent; }
@media (prefers-color-scheme: dark) { :root { --old: #6e7681; --draining: #8957a5; --stopping: #9e6a03;
  --stopped: #5c4813; --starting: #1f6feb; --ready: #2f8a4c; } }
p.error { color: var(--failed); margin: 0 0 .5rem; }
.serving { fill: var(--done); fill-opacity: .25; stroke: var(--done); }
"""
_COLOURS = "".join(f".{state} {{ fill: var(--{state}); background: var(--{state}); }}\n" for state in MEANINGS)


def timeline_page(title: str, records: Sequence[RolloutRecord]) -> str:
    """The page *title* with a picture of each of *records*, in their order."""
    used = {state for record in records for one in record.instances.values() for _, state in one.states}
    legend = "".join(
        f'<li><span class="{state}"></span>{safe(meaning)}</li>' for state, meaning in MEANINGS.items() if state in used
    )
    body = "\n".join(line for record in records for line in _section(record))
    return html_page(title, _STYLE + _COLOURS, f"<ul>{legend}</ul>\n{body}")


def _section(record: RolloutRecord) -> Iterator[str]:
    yield f"<h2>{safe(heading(record))}</h2>"
    if record.error:
        yield f'<p class="error">{safe(record.error)}</p>'
    if not record.instances:
        yield "<p>No instance was recorded.</p>"
    else:
        end = length_of(record)
        height = _ROW * len(record.instances) + _AREA + 40
        yield f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{safe(heading(record))}">'
        for row, (name, one) in enumerate(record.instances.items()):
            top = row * _ROW
            yield f'<text x="0" y="{top + 13}">{safe(label_of(name, one))}</text>'
            yield from (_bar(span, end, top) for span in spans(one, end))
        yield from _serving(record, end, _ROW * len(record.instances) + 8)
        yield "</svg>"


def _bar(span: Span, end: float, top: int) -> str:
    state = span.state if span.state in MEANINGS else "removed"
    about = f"{MEANINGS.get(span.state, span.state)}, {span.start:.1f} s to {span.end:.1f} s"
    width = max(0.5, _x(span.end, end) - _x(span.start, end))
    place = f'x="{_x(span.start, end):.1f}" y="{top}" width="{width:.1f}" height="{_BAR}"'
    return f'<rect class="{state}" {place}><title>{safe(about)}</title></rect>'


def _serving(record: RolloutRecord, end: float, top: int) -> Iterator[str]:
    """How many instances served: an area, its lowest number, and the axis of time."""
    most = max([1, record.wanted, *(number for _, number in record.serving)])
    bottom = top + _AREA
    path = [f"M{_LABEL} {bottom}"]
    for at, number in record.serving:
        path += [f"H{_x(at, end):.1f}", f"V{bottom - _AREA * number / most:.1f}"]
    path += [f"H{_x(end, end):.1f}", f"V{bottom}", "Z"]
    of_wanted = f" of {record.wanted}" if record.wanted else ""
    yield f'<text x="0" y="{top + 28}">serving: at least {lowest(record)}{of_wanted}</text>'
    yield f'<path class="serving" d="{" ".join(path)}"/>'
    yield f'<line class="axis" x1="{_LABEL}" y1="{bottom}" x2="{_LABEL + _CHART}" y2="{bottom}"/>'
    for part in range(5):
        at, anchor = end * part / 4, ("start", "middle", "middle", "middle", "end")[part]
        place = f'x="{_x(at, end):.1f}" y="{bottom + 18}" text-anchor="{anchor}"'
        yield f'<text class="faint" {place}>{format_duration(at)}</text>'


def _x(second: float, end: float) -> float:
    return _LABEL + _CHART * min(1.0, second / end)
