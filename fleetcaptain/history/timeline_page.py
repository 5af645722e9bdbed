"""The timeline of a release as one HTML file: inline SVG, no scripts, nothing from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.history.timeline import MEANINGS, Span, heading, label_of, length_of, lowest, spans
from fleetcaptain.printable import one_line

__all__ = ["timeline_page"]

_LABEL, _CHART, _ROW, _BAR, _AREA = 260, 900, 24, 16, 48
_WIDTH = _LABEL + _CHART + 20
_STYLE = """\
:root { color-scheme: light dark; --back: #ffffff; --text: #1f2328; --faint: #6e7781; --line: #d0d7de;
  --old: #8c959f; --draining: #c9a0dc; --stopping: #f2cc60; --stopped: #f6e3b4; --starting: #79b8ff; --ready: #7ee2a0;
  --done: #2da44e; --failed: #cf222e; --removed: transparent; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --faint: #8b949e; --line: #30363d;
  --old: #6e7681; --draining: #8957a5; --stopping: #9e6a03; --stopped: #5c4813; --starting: #1f6feb; --ready: #2f8a4c;
  --done: #3fb950; --failed: #f85149; } }
body { background: var(--back); color: var(--text); font: 14px/1.5 system-ui, sans-serif; margin: 2rem; }
h2 { font-size: 1rem; margin: 2rem 0 .25rem; }
p.error { color: var(--failed); margin: 0 0 .5rem; }
svg { display: block; width: 100%; max-width: 1180px; height: auto; }
text { fill: var(--text); font: 12px system-ui, sans-serif; }
.faint { fill: var(--faint); }
.axis { stroke: var(--line); }
.serving { fill: var(--done); fill-opacity: .25; stroke: var(--done); }
ul { list-style: none; padding: 0; }
li { display: inline-block; margin-right: 1.5rem; }
li span { display: inline-block; width: 1rem; height: .75rem; margin-right: .4rem; border: 1px solid var(--line); }
"""
_COLOURS = "".join(f".{state} {{ fill: var(--{state}); background: var(--{state}); }}\n" for state in MEANINGS)


def timeline_page(title: str, records: Sequence[RolloutRecord]) -> str:
    """The page *title* with a picture of each of *records*, in their order."""
    used = {state for record in records for one in record.instances.values() for _, state in one.states}
    legend = "".join(
        f'<li><span class="{state}"></span>{_safe(meaning)}</li>'
        for state, meaning in MEANINGS.items()
        if state in used
    )
    body = "\n".join(line for record in records for line in _section(record))
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_safe(title)}</title>
<style>
{_STYLE}{_COLOURS}</style>
</head>
<body>
<h1>{_safe(title)}</h1>
<ul>{legend}</ul>
{body}
</body>
</html>
"""


def _section(record: RolloutRecord) -> Iterator[str]:
    yield f"<h2>{_safe(heading(record))}</h2>"
    if record.error:
        yield f'<p class="error">{_safe(record.error)}</p>'
    if not record.instances:
        yield "<p>No instance was recorded.</p>"
    else:
        end = length_of(record)
        height = _ROW * len(record.instances) + _AREA + 40
        yield f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{_safe(heading(record))}">'
        for row, (name, one) in enumerate(record.instances.items()):
            top = row * _ROW
            yield f'<text x="0" y="{top + 13}">{_safe(label_of(name, one))}</text>'
            yield from (_bar(span, end, top) for span in spans(one, end))
        yield from _serving(record, end, _ROW * len(record.instances) + 8)
        yield "</svg>"


def _bar(span: Span, end: float, top: int) -> str:
    state = span.state if span.state in MEANINGS else "removed"
    about = f"{MEANINGS.get(span.state, span.state)}, {span.start:.1f} s to {span.end:.1f} s"
    width = max(0.5, _x(span.end, end) - _x(span.start, end))
    place = f'x="{_x(span.start, end):.1f}" y="{top}" width="{width:.1f}" height="{_BAR}"'
    return f'<rect class="{state}" {place}><title>{_safe(about)}</title></rect>'


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


def _safe(text: str) -> str:
    return escape(one_line(text), quote=True)
