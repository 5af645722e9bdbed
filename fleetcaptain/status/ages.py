"""How long ago a moment was, in few characters. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["age", "minute", "seconds_between"]

_UNITS = (("d", 86_400), ("h", 3600), ("m", 60))


def age(moment: str, now: str) -> str:
    """The time from *moment* to *now* (both ISO 8601) in its largest unit: ``42s``, ``5m``, ``3h``, ``12d``. "" when
    one of them is not a time; clocks that differ count as none passed."""
    seconds = seconds_between(moment, now)
    if seconds is None:
        return ""
    return next((f"{seconds // size}{unit}" for unit, size in _UNITS if seconds >= size), f"{seconds}s")


def seconds_between(moment: str, now: str) -> int | None:
    """The seconds from *moment* to *now*, at least 0; None when one of them is not a time."""
    times = _time(moment), _time(now)
    return None if times[0] is None or times[1] is None else max(0, int((times[1] - times[0]).total_seconds()))


def minute(moment: str) -> str:
    """*moment* (ISO 8601) as ``2030-02-01 12:00`` in UTC; the text itself when it is not a time."""
    found = _time(moment)
    return found.strftime("%Y-%m-%d %H:%M") if found else moment


def _time(moment: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(moment)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
