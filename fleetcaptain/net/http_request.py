"""The type of a function that sends requests to one server."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Ask"]

Ask = Callable[[str, str, str], tuple[int, str]]
"""Sends (method, path, body), with a JSON body; returns the answer's status, 0 without an answer, and its text."""
