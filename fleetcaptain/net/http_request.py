"""What asks one server over HTTP, however it gets there."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Ask"]

Ask = Callable[[str, str, str], tuple[int, str]]
"""Sends (method, path, body), a body being JSON; the answer's status, 0 when nothing answers, and its text."""
