"""The page of a timeline in a real browser: what a person sees, in light and in dark."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.history.timeline_page import timeline_page
from tests.local.browser.chromium import DARK, Colour, browse, colours
from tests.unit.history.example_records import DONE, FAILED

HOSTILE = "</title><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.mark.parametrize(
    ("options", "back", "done", "failed"),
    [
        ((), (255, 255, 255), (45, 164, 78), (207, 34, 46)),
        (DARK, (13, 17, 23), (63, 185, 80), (248, 81, 73)),
    ],
    ids=["light", "dark"],
)
def test_the_page_shows_the_bars_in_their_colours(
    tmp_path: Path, options: tuple[str, ...], back: Colour, done: Colour, failed: Colour
) -> None:
    """On the background of the reader's choice."""
    found = colours(timeline_page("Release v2 of shop", [DONE, FAILED]), tmp_path, *options)
    assert found.most_common(1)[0][0] == back
    # Half of a bar of 900 by 16, and a third of one.
    assert found[done] > 6000
    assert found[failed] > 4000


def test_nothing_of_a_hostile_record_runs(tmp_path: Path) -> None:
    """It is text on the page."""
    hostile = replace(DONE, who=HOSTILE, error=HOSTILE, release=HOSTILE)
    dom = browse(timeline_page(HOSTILE, [hostile]), tmp_path, "--dump-dom")
    assert re.search("<title>(.*?)</title>", dom)[1].startswith("&lt;/title&gt;&lt;script")  # type: ignore[index]
    assert "<script" not in dom
    assert "<img" not in dom
    assert dom.count("<rect") > 10
