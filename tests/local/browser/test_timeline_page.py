"""The page of a timeline in a real browser: what a person sees, in light and in dark."""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.history.timeline_page import timeline_page
from tests.programs import program
from tests.unit.history.example_records import DONE, FAILED

# root has no sandbox; the page is the product's own.
BROWSER = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
DARK = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
Colour = tuple[int, int, int]
HOSTILE = "</title><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


def browse(page: str, tmp_path: Path, *options: str) -> str:
    """What the browser prints about *page*."""
    file = tmp_path / "page.html"
    file.write_text(page)
    argv = [str(program("chromium")), *BROWSER, f"--user-data-dir={tmp_path}/profile", *options, file.as_uri()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def colours(page: str, tmp_path: Path, *options: str) -> Counter[Colour]:
    """Colour -> the number of pixels that have it, in a window of 1240 by 700."""
    picture = tmp_path / "page.png"
    browse(page, tmp_path, f"--screenshot={picture}", "--window-size=1240,700", *options)
    return pixels(picture.read_bytes())


def pixels(png: bytes) -> Counter[Colour]:
    """The pixels of a PNG with 8 bits a channel, without palette."""
    position, data, width, channels = 8, b"", 0, 3
    while position < len(png):
        size, kind = struct.unpack(">I4s", png[position : position + 8])
        body = png[position + 8 : position + 8 + size]
        if kind == b"IHDR":
            width, _, depth, form = struct.unpack(">IIBB", body[:10])
            channels = {2: 3, 6: 4}[form]
            assert depth == 8
        data += body if kind == b"IDAT" else b""
        position += size + 12
    raw, line = zlib.decompress(data), width * channels
    found: Counter[Colour] = Counter()
    above = bytearray(line)
    for start in range(0, len(raw), line + 1):
        above = _unfiltered(raw[start], raw[start + 1 : start + 1 + line], above, channels)
        found.update(zip(above[0::channels], above[1::channels], above[2::channels], strict=True))
    return found


def _unfiltered(kind: int, row: bytes, above: bytearray, step: int) -> bytearray:
    """PNG's filters 0 to 4."""
    out = bytearray(row)
    for at, value in enumerate(row):
        left = out[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        guess = left + above[at] - corner
        nearest = min((left, above[at], corner), key=lambda one: abs(guess - one))
        out[at] = (value + (0, left, above[at], (left + above[at]) // 2, nearest)[kind]) & 255
    return out


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
