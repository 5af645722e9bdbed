"""docs/architecture.md: the example's units as `fleetctl cat` prints them, byte for byte."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from fleetcaptain.fleetfile import load
from fleetcaptain.units.render import render_app

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "architecture.md"
MARK = "<!-- written by `UPDATE_GOLDEN=1 make test-unit` -->\n"
# Service -> its units' prefix, and its image.
SHOWN = {"app_server": ("app_server", "hackuman/behavioral"), "redis": ("redis-<hash>", "behavioral/redis")}
LONGEST = 30


def texts() -> dict[str, str]:
    """Unit -> its text, of the services that differ most."""
    files = render_app(load(ROOT / "examples" / "behavioral"), "fleetcaptain/dev")
    return {
        f"{name}@1": files[service].with_image(f"registry.example.org/{image}@sha256:{'4f' * 32}").text
        for service, (name, image) in SHOWN.items()
    }


def test_the_page_shows_the_rendered_units() -> None:
    """``UPDATE_GOLDEN=1`` writes them."""
    shown = "\n".join(f"`fleetctl cat {unit}`:\n\n```ini\n{text}```\n" for unit, text in texts().items())
    before, _, after = PAGE.read_text().split(MARK)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        PAGE.write_text(f"{before}{MARK}{shown}{MARK}{after}")
    assert PAGE.read_text().split(MARK)[1] == shown


@pytest.mark.parametrize("unit", texts())
def test_a_person_can_read_each(unit: str) -> None:
    """So can one who reviews a preview: few lines, and no shell in them."""
    lines = [line for line in texts()[unit].splitlines() if line]
    assert len(lines) <= LONGEST
    assert [line for line in lines if len(line) > 120 and "sha256" not in line] == []
    assert [line for line in lines if re.search(r"[|&;<>`]|\$\(", line)] == []
