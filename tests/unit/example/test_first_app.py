"""The app of docs/first-app.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_shows_the_apps_fleetfile() -> None:
    """All of it, as it is."""
    page = (ROOT / "docs" / "first-app.md").read_text()
    assert (ROOT / "examples" / "first_app" / "Fleetfile.py").read_text() in re.findall(
        r"```python\n(.*?)```", page, re.DOTALL
    )
