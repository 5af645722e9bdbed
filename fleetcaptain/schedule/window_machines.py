"""The machines of windows: there only while a window that brings machines is open. Pure."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["WINDOWS_GROUP", "is_of_windows"]

WINDOWS_GROUP = ("group", "windows")
"""The fleet metadata of such a machine, which no other machine has: key and value."""


def is_of_windows(metadata: Mapping[str, str]) -> bool:
    """Whether a machine with this fleet *metadata* is one of windows."""
    key, value = WINDOWS_GROUP
    return metadata.get(key) == value
