"""The shapes of docs/porting.md: each one's heading, and the Fleetfile below it."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["SHAPES"]

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "porting.md"
_SECTIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", _PAGE.read_text(), re.DOTALL | re.MULTILINE)

SHAPES = {
    heading: found[1] for heading, text in _SECTIONS if (found := re.search(r"```python\n(.*?)```", text, re.DOTALL))
}
"""Heading -> the text of the Fleetfile."""
