"""The example app, as the tests deploy it."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["example"]

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "behavioral"


def example(folder: Path) -> Path:
    """A copy of the example whose instances have to stay up for 2 s instead of 10 s, to be tested faster. Files of
    *folder* that are there already are written again."""
    shutil.copytree(_EXAMPLE, folder, dirs_exist_ok=True)
    fleetfile = folder / "Fleetfile.py"
    given = "min_healthy_sec=10"
    text = fleetfile.read_text()
    assert given in text
    fleetfile.write_text(text.replace(given, "min_healthy_sec=2"))
    return folder
