"""The schedule on a terminal, as JSON and as a page."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fleetcaptain.schedule.schedule_page import schedule_page
from fleetcaptain.schedule.schedule_view import lines_of
from fleetcaptain.schedule.service_schedule import as_json
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.styled import painted, plain
from tests.unit.schedule.example_schedule import ADDRESSES, EVENTS, NOW, schedule

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "\x1b[2J</title><script>alert('1')</script>&\"\u202e"


def is_golden(name: str, text: str) -> None:
    """``UPDATE_GOLDEN=1`` writes it."""
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(text)
    assert (GOLDEN / name).read_text() == text


def shown(width: int = 80) -> list[str]:
    """The screen of two services: one with events, and one whose agents did nothing."""
    idle = replace(schedule(()), service="mail")
    return [plain(line) for line in lines_of([schedule(), idle], ADDRESSES, width)]


def test_the_schedule_on_a_terminal() -> None:
    """In 80 columns, readable without colour: a sign marks what was late or missed."""
    lines = shown()
    assert max(map(len, lines)) <= 80
    is_golden("schedule.txt", "\n".join(lines) + "\n")
    assert [line[2:].split()[0] for line in lines if line.startswith("!")] == ["Thu", "Thu", "Thu"]


@pytest.mark.parametrize("width", [30, 60, 160])
def test_no_line_of_the_schedule_is_wider_than_the_terminal(width: int) -> None:
    """However narrow it is."""
    assert max(map(len, shown(width))) <= width


def test_what_an_earlier_plan_did_is_in_the_zone_of_the_present_one() -> None:
    """It is not known in which zone its window was."""
    past = WindowEvent(NOW - 3600, 4, 9, NOW - 3500, "m1", NOW - 3550)
    (line,) = [line for line in map(plain, lines_of([schedule((past,))], ADDRESSES, 80)) if "earlier plan" in line]
    assert line.startswith("  Fri 01:00 CST    4 -> 9    a window of an earlier plan: ready 50 s before")


def test_what_was_late_is_red() -> None:
    """On a terminal with colours."""
    text = "\n".join(map(painted, lines_of([schedule()], ADDRESSES, 80)))
    assert "\x1b[31m! Thu 17:57 CST" in text


def test_the_schedule_as_json() -> None:
    """One object for each service, times in UTC."""
    found = json.loads(json.dumps(as_json(schedule(), ADDRESSES)))
    assert found["service"] == "web"
    assert (found["instances"], found["desired"], found["lead_sec"]) == (4, 4, 180)
    assert [change["at"] for change in found["next"]] == ["2026-11-27T09:27:00+00:00", "2026-11-27T10:30:00+00:00"]
    assert found["last"][0] == {
        "at": "2026-11-26T09:27:00+00:00",
        "from": 4,
        "to": 12,
        "windows": ["megaquery"],
        "ready_by": "2026-11-26T09:30:00+00:00",
        "timezone": "America/Chicago",
        "machines": 0,
        "result": "ready",
        "bad": False,
        "margin_sec": 100,
        "happened": "2026-11-26T09:27:12+00:00",
        "ready": "2026-11-26T09:28:20+00:00",
        "by": "10.92.50.12",
    }
    assert [(one["result"], one["by"]) for one in found["last"][1:]] == [
        ("closed", "10.92.50.11"),
        ("late", "10.92.50.11"),
        ("closed", "unknown"),
    ]


def test_the_schedule_as_a_page() -> None:
    """One file: no script, and nothing from elsewhere."""
    page = schedule_page("Windows of shop", [schedule()], ADDRESSES)
    is_golden("schedule.html", page)
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page


def test_the_picture_shows_planned_and_real_instances() -> None:
    """Both lines are in the order of time and within the picture; the real one ends now."""
    page = schedule_page("t", [schedule()], ADDRESSES)
    (text,) = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    picture = ElementTree.fromstring(text)  # noqa: S314
    paths = {path.attrib["class"]: path.attrib["d"] for path in picture.iter("path")}
    now = next(float(line.attrib["x1"]) for line in picture.iter("line") if line.attrib["class"] == "now")
    for kind, last in (("planned", 1160.0), ("real", now)):
        moments = [float(x) for x in re.findall(r"[MH]([\d.]+)", paths[kind].partition(" Z")[0])]
        steps = moments[:-1] if kind == "real" else moments  # the area returns to its beginning
        assert steps == sorted(steps)
        assert steps[-1] == last
        # Two openings and two closings, and on the plan those of the next day.
        assert paths[kind].count("V") == {"planned": 6, "real": 5}[kind]
    marks = [line.attrib["class"] for line in picture.iter("line")]
    assert (marks.count("due"), marks.count("bad"), marks.count("ahead")) == (1, 1, 1)
    assert page.count('<tr class="bad">') == 1


def test_a_missed_window_is_a_red_band() -> None:
    """From ready_by to the end of the window."""
    page = schedule_page("t", [schedule(())], ADDRESSES)
    bands = re.findall(r'<rect class="missing" x="[\d.]+" y="24" width="([\d.]+)"', page)
    assert [float(width) for width in bands] == [pytest.approx(23.3, abs=0.1), pytest.approx(46.7, abs=0.1)]


def test_hostile_values_are_escaped() -> None:
    """A service may have any name in etcd, and a machine any address."""
    hostile = replace(schedule(), service=HOSTILE)
    found: set[str] = set()
    tags = HTMLParser()
    tags.handle_starttag = lambda tag, attrs: found.add(tag)  # type: ignore[method-assign]  # noqa: ARG005
    page = schedule_page(HOSTILE, [hostile], {"m1": HOSTILE})
    tags.feed(page)
    assert "script" not in found
    assert {"svg", "path", "table"} <= found
    text = "\n".join(plain(line) for line in lines_of([hostile], {"m1": HOSTILE}, 200))
    for one in (page, text):
        assert "\x1b" not in one
        assert "\u202e" not in one


def test_the_lines_of_a_window_that_is_open() -> None:
    """Until when it is."""
    opened = schedule((EVENTS[0],), NOW - 79_000)
    assert plain(lines_of([opened], ADDRESSES, 80)[0]) == (
        "web: 12 until 04:30 CST; windows open 180 s before ready_by"
    )
