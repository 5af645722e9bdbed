"""The page of a schedule in a real browser: what a person sees, in light and in dark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.schedule.schedule_page import schedule_page
from tests.local.browser.chromium import DARK, Colour, browse, colours
from tests.unit.schedule.example_schedule import ADDRESSES, schedule

HOSTILE = "</title><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.mark.parametrize(
    ("options", "back", "drawn"),
    [
        ((), (255, 255, 255), ((9, 105, 218), (255, 235, 233), (207, 34, 46))),
        (DARK, (13, 17, 23), ((88, 166, 255), (61, 21, 24), (248, 81, 73))),
    ],
    ids=["light", "dark"],
)
def test_the_page_shows_planned_instances_and_what_is_missing(
    tmp_path: Path, options: tuple[str, ...], back: Colour, drawn: tuple[Colour, Colour, Colour]
) -> None:
    """On the background of the reader's choice."""
    found = colours(schedule_page("Windows of shop", [schedule(())], ADDRESSES), tmp_path, *options)
    planned, missing, late = drawn
    assert found.most_common(1)[0][0] == back
    # The dashes of a line of 1,120; two bands of 70 by 150, of which 4 of 12 instances ran; and two lines of 150.
    assert found[planned] > 500
    assert found[missing] > 5000
    assert found[late] > 300


def test_real_instances_are_an_area(tmp_path: Path) -> None:
    """Four instances all day, and more in two windows. Green lies on the background by a quarter."""
    found = colours(schedule_page("Windows of shop", [schedule()], ADDRESSES), tmp_path)
    greens = sum(count for (red, green, blue), count in found.items() if green > red + 20 and green > blue + 10)
    assert greens > 25_000


def test_nothing_of_a_hostile_schedule_runs(tmp_path: Path) -> None:
    """It is text on the page."""
    page = schedule_page(HOSTILE, [replace(schedule(), service=HOSTILE)], {"m1": HOSTILE})
    dom = browse(page, tmp_path, "--dump-dom")
    assert "<script" not in dom
    assert "<img" not in dom
    assert dom.count("<path") == 2
