"""When a periodic task runs: a strict subset of systemd's calendar events, see systemd.time(7). Pure."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from functools import cache

from fleetcaptain.fleetfile.calendar_fields import CALENDAR_NAMES, field_of, listed, weekdays_of
from fleetcaptain.fleetfile.validation_error import ValidationError, did_you_mean, represented

__all__ = ["Calendar"]

_FORM = (
    '[Mon..Fri] [YEAR-MONTH-DAY] [HOUR:MINUTE[:SECOND]] [TIME ZONE], such as "Mon..Fri 03:30 America/Chicago", '
    f'"*-*-01 04:00 UTC" or "*:0/15", or one of {", ".join(CALENDAR_NAMES)}; a number may be *, a list (1,15), a range '
    "(1..5) or a start with a step (0/15)"
)

_WEEKDAYS = re.compile(r"[A-Za-z]{3,12}(?:(?:\.\.|,)[A-Za-z]{3,12})*")
_DATE = re.compile(r"(?:([^-:\s]+)-)?([^-:\s]+)-([^-:\s]+)")
_TIME = re.compile(r"([^-:\s]+):([^-:\s]+)(?::([^-:\s]+))?")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")
_YEARS = range(1970, 2200)
# The most days that each month has.
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Calendar:
    """The moments at which a task runs: on *weekdays* (0 is Monday) that are of *years*, *months* and *days* of the
    month, at *hours*, *minutes* and *seconds*, all by the clock of *zone* ("" is that of the machine). *text* is the
    normalised form, the value of ``OnCalendar=``."""

    text: str
    weekdays: frozenset[int]
    years: frozenset[int]
    months: frozenset[int]
    days: frozenset[int]
    hours: frozenset[int]
    minutes: frozenset[int]
    seconds: frozenset[int]
    zone: str

    @classmethod
    def parse(cls, text: str) -> Calendar:
        """The moments that *text* describes. Raises ValidationError, which says what is allowed."""
        words = text.split()
        if words and words[0].lower() in CALENDAR_NAMES:
            words[:1] = CALENDAR_NAMES[words[0].lower()].split()
        if not words:
            raise ValidationError(f"{represented(text)} names no time; it must be {_FORM}")
        weekdays = weekdays_of(words.pop(0), text) if _WEEKDAYS.fullmatch(words[0]) else None
        date = _DATE.fullmatch(words[0]) if words else None
        if date:
            words.pop(0)
        time = _TIME.fullmatch(words[0]) if words else None
        if time:
            words.pop(0)
        zone = words.pop(0) if words else ""
        if words or (weekdays is None and not date and not time):
            raise ValidationError(f"{represented(text)} is not a calendar event; it must be {_FORM}")
        _check_zone(zone, text)
        year, month, day = date.groups() if date else ("*", "*", "*")
        hour, minute, second = time.groups() if time else ("0", "0", "0")
        years, months = field_of("year", year or "*", _YEARS), field_of("month", month, range(1, 13))
        monthdays, hours = field_of("day", day, range(1, 32)), field_of("hour", hour, range(24))
        minutes, seconds = field_of("minute", minute, range(60)), field_of("second", second or "0", range(60))
        if min(monthdays.values) > max(_LONGEST[number - 1] for number in months.values):
            raise ValidationError(f"{represented(text)}: no month that it names has such a day; correct the date")
        days = frozenset(range(7)) if weekdays is None else weekdays
        date_text = "-".join((years.text, months.text, monthdays.text))
        time_text = ":".join((hours.text, minutes.text, seconds.text))
        return cls(
            " ".join(filter(None, (listed(days), date_text, time_text, zone))),
            weekdays=days,
            years=years.values,
            months=months.values,
            days=monthdays.values,
            hours=hours.values,
            minutes=minutes.values,
            seconds=seconds.values,
            zone=zone,
        )


@cache
def _known_zones() -> frozenset[str]:
    """The names of time zones, from the files of this computer; that takes a tenth of a second."""
    return frozenset(zoneinfo.available_timezones())


def _check_zone(zone: str, text: str) -> None:
    if zone in ("", "UTC"):
        return
    known = _known_zones()
    if _ZONE.fullmatch(zone) and (zone in known or not known):
        return
    near = did_you_mean(zone, known)
    raise ValidationError(
        f"{represented(text)}: {zone} is not a time zone{near or ''}; write UTC or a name such as America/Chicago, "
        "after the time"
    )
