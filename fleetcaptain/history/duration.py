"""Durations in words. Pure."""

from __future__ import annotations

__all__ = ["format_duration"]

_MINUTE, _HOUR = 60, 3600


def format_duration(seconds: float) -> str:
    """*seconds* as a person says it: ``4 s``, ``1 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        minutes, left = divmod(whole, _MINUTE)
        return f"{minutes} min {left} s" if left else f"{minutes} min"
    hours, left = divmod(whole, _HOUR)
    return f"{hours} h {left // _MINUTE} min" if left >= _MINUTE else f"{hours} h"
