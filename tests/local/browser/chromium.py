"""Pages in a real browser: what it makes of them, and the colours that a person sees."""

from __future__ import annotations

import struct
import subprocess
import zlib
from collections import Counter
from pathlib import Path

from tests.programs import program

__all__ = ["DARK", "Colour", "browse", "colours"]

# root has no sandbox; the page is the product's own.
BROWSER = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
DARK = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
Colour = tuple[int, int, int]


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
