"""When a periodic task runs next. Pure, but for the table of time zones."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta

from fleetcaptain.fleetfile.calendar import Calendar
from fleetcaptain.fleetfile.validation_error import ValidationError
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["calendar_of", "next_run", "next_run_of"]

# The 29th of February may be eight years away; on one day of the week, forty.
_DAYS = 366 * 41


def next_run(calendar: Calendar, now: datetime) -> datetime | None:
    """The first moment of *calendar* after *now*, in UTC; None if there is none, or the time zone is not known here.
    A *calendar* without a zone is taken to be in UTC, as machines are."""
    try:
        zone = zoneinfo.ZoneInfo(calendar.zone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
    day = now.astimezone(zone).date()
    for _ in range(_DAYS):
        if (
            day.weekday() in calendar.weekdays
            and day.day in calendar.days
            and day.month in calendar.months
            and day.year in calendar.years
        ):
            for hour in sorted(calendar.hours):
                for minute in sorted(calendar.minutes):
                    # The last second of the minute says whether one of its moments can be after now.
                    if _moment(day, hour, minute, 59, zone) <= now:
                        continue
                    for second in sorted(calendar.seconds):
                        moment = _moment(day, hour, minute, second, zone)
                        local = moment.astimezone(zone)
                        # systemd skips a time that the beginning of summer time leaves out.
                        if moment > now and (local.hour, local.minute) == (hour, minute):
                            return moment
        day += timedelta(days=1)
    return None


def calendar_of(timer: UnitFile) -> str:
    """The calendar event of *timer*; "" if it has none."""
    return next((option.value for option in timer.options if option.name == "OnCalendar"), "")


def next_run_of(timer: UnitFile, now: datetime) -> str:
    """The next run by *timer* after *now* (ISO 8601, UTC); "" if that is not known, as of a timer that others wrote."""
    try:
        moment = next_run(Calendar.parse(calendar_of(timer)), now)
    except ValidationError:
        return ""
    return moment.isoformat(timespec="seconds") if moment else ""


def _moment(day: date, hour: int, minute: int, second: int, zone: zoneinfo.ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone).astimezone(UTC)
