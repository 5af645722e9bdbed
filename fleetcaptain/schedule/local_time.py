"""Times of the Unix clock, written in a time zone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["clock_in", "day_and_clock_in", "hour_in", "iso_utc", "minute_in", "time_in"]


def clock_in(at: float, timezone: str) -> str:
    """``03:27 CDT``."""
    return _written(at, timezone, "%H:%M %Z")


def day_and_clock_in(at: float, timezone: str) -> str:
    """``Fri 03:27 CDT``, for a moment within some days."""
    return _written(at, timezone, "%a %H:%M %Z")


def hour_in(at: float, timezone: str) -> str:
    """``Fri 03:27``, where the zone is known."""
    return _written(at, timezone, "%a %H:%M")


def time_in(at: float, timezone: str) -> str:
    """``03:27:12``."""
    return _written(at, timezone, "%H:%M:%S")


def minute_in(at: float, timezone: str) -> str:
    """``2026-11-27 03:27 CST``."""
    return _written(at, timezone, "%Y-%m-%d %H:%M %Z")


def iso_utc(at: float) -> str:
    """``2026-11-27T09:27:00+00:00``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _written(at: float, timezone: str, form: str) -> str:
    return datetime.fromtimestamp(at, _zone(timezone)).strftime(form)


def _zone(name: str) -> tzinfo:
    """The time zone *name*; UTC for one that this computer does not know, or that was not recorded."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
