"""Pictures of rollouts: on a terminal, and as a page."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fleetcaptain.history.duration import format_duration
from fleetcaptain.history.history_table import history_table
from fleetcaptain.history.rollout_record import InstanceRecord
from fleetcaptain.history.timeline import timeline
from fleetcaptain.history.timeline_page import timeline_page
from tests.unit.history.example_records import DONE, FAILED, KILLED

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J</title><script>alert('1')</script>&\"\u202e"


def is_golden(name: str, text: str) -> None:
    """``UPDATE_GOLDEN=1`` writes it."""
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(text)
    assert (GOLDEN / name).read_text() == text


@pytest.mark.parametrize("width", [80, 132])
def test_the_timeline_on_a_terminal(width: int) -> None:
    """It fills the terminal, and is not wider."""
    lines = timeline([DONE, FAILED, KILLED], width)
    assert max(map(len, lines)) <= width
    is_golden(f"timeline-{width}.txt", "\n".join(lines) + "\n")


def test_the_timeline_as_a_page() -> None:
    """One file: no script, and nothing from elsewhere."""
    page = timeline_page("Release v2 of shop", [DONE, FAILED, KILLED])
    is_golden("timeline.html", page)
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page


def test_the_pictures_of_a_page_are_valid() -> None:
    """Each is well-formed, and its bars are within it and in the order of time."""
    page = timeline_page("t", [DONE, FAILED])
    pictures = [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314
    assert len(pictures) == 2
    for picture in pictures:
        width = float(picture.attrib["viewBox"].split()[2])
        for bar in picture.iter("rect"):
            assert float(bar.attrib["x"]) + float(bar.attrib["width"]) <= width
    bars = [float(bar.attrib["x"]) for bar in pictures[0].iter("rect")][:6]
    assert bars == sorted(bars)


def test_hostile_records_are_escaped() -> None:
    """Whoever can write etcd writes any error, and any name."""
    hostile = replace(DONE, error=HOSTILE, who=HOSTILE, instances={HOSTILE: InstanceRecord(HOSTILE, ((0.0, "odd"),))})

    found: set[str] = set()
    tags = HTMLParser()
    tags.handle_starttag = lambda tag, attrs: found.add(tag)  # type: ignore[method-assign]  # noqa: ARG005
    page = timeline_page(HOSTILE, [hostile])
    tags.feed(page)
    assert "script" not in found
    assert {"svg", "rect", "h2"} <= found
    for text in (page, *timeline([hostile], 80), *history_table([hostile], 80)):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_a_short_outage_is_visible() -> None:
    """A tenth of a second of a rollout of an hour."""
    states = ((0.0, "old"), (1800.0, "stopped"), (1800.1, "starting"), (1800.2, "ready"), (1801.0, "done"))
    long = replace(DONE, seconds=3600, instances={"web@1.service": InstanceRecord("", states)}, wanted=1)
    long = replace(long, serving=((0.0, 1), (1800.0, 0), (1800.2, 1)))
    _, bar, serving, *_ = timeline([long], 80)
    assert "·" in bar
    assert serving.count("0") == 1


def test_the_table_of_the_history() -> None:
    """In 80 columns, with the error below."""
    tag = "b695066-dirty-3eff06f"
    lines = history_table([FAILED, DONE, replace(KILLED, service="s" * 60, release=tag, who="w" * 60)], 80)
    assert max(map(len, lines)) == 80
    is_golden("history.txt", "\n".join(lines) + "\n")


def test_a_release_is_never_cut() -> None:
    """Tags may differ at their ends only, and the timeline takes whole ones."""
    tag = f"{'r' * 90}-3eff06f"
    assert tag in history_table([replace(DONE, release=tag)], 80)[1]


def test_without_a_width_nothing_is_cut() -> None:
    """A pipe has none."""
    long = replace(FAILED, service="s" * 60, who="w" * 60, error="e" * 300)
    _, line, error = history_table([long], None)
    assert ("s" * 60 in line, "w" * 60 in line, error) == (True, True, f"  {'e' * 300}")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (80, "1 min 20 s"), (3600, "1 h"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, words: str) -> None:
    """In words."""
    assert format_duration(seconds) == words


def test_a_rollback_is_called_so() -> None:
    """In the table and above the picture; its tag is still there to be copied."""
    back = replace(DONE, rollback=True)
    assert "v2 (rollback)" in history_table([back], 80)[1]
    assert "web v2 (rollback): done" in timeline([back], 80)[0]
