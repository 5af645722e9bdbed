"""The calendar events of periodic tasks: what is allowed, its normalised text, and what an error says."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from fleetcaptain.fleetfile.calendar import Calendar
from fleetcaptain.fleetfile.validation_error import ValidationError

_TEXTS = {
    "Mon..Fri 03:30 America/Chicago": "Mon..Fri *-*-* 03:30:00 America/Chicago",
    "minutely": "*-*-* *:*:00",
    "*:*": "*-*-* *:*:00",
    "daily": "*-*-* 00:00:00",
    "quarterly UTC": "*-01,04,07,10-01 00:00:00 UTC",
    "semiannually": "*-01,07-01 00:00:00",
    "Semi-annually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
    "Hourly": "*-*-* *:00:00",
    "weekly UTC": "Mon *-*-* 00:00:00 UTC",
    "monthly Europe/Berlin": "*-*-01 00:00:00 Europe/Berlin",
    "3:05": "*-*-* 03:05:00",
    "*:0/15": "*-*-* *:00/15:00",
    "*:*/15": "*-*-* *:00/15:00",
    "*:*:0/10": "*-*-* *:*:00/10",
    "*/6:30": "*-*-* 00/6:30:00",
    "sat,SUN 4:00": "Sat,Sun *-*-* 04:00:00",
    "Mon,Wed..Fri 4:00": "Mon,Wed..Fri *-*-* 04:00:00",
    "Mon..Sun 4:00": "*-*-* 04:00:00",
    "Mon": "Mon *-*-* 00:00:00",
    "*-*-1,15 4:00": "*-*-01,15 04:00:00",
    "12-24 18:00": "*-12-24 18:00:00",
    "2027-01-01": "2027-01-01 00:00:00",
    "Mon *-*-1..7 8..18/2:00": "Mon *-*-01..07 08..18/2:00:00",
    "*-02-29 1:00:30 UTC": "*-02-29 01:00:30 UTC",
}


@pytest.mark.parametrize(("text", "normalised"), _TEXTS.items())
def test_a_calendar_event_has_one_text(text: str, normalised: str) -> None:
    """So that another way to write it changes no unit."""
    assert Calendar.parse(text).text == normalised
    assert Calendar.parse(normalised) == Calendar.parse(text)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("normalised", sorted(set(_TEXTS.values())))
def test_systemd_has_the_same_text(normalised: str) -> None:
    """It reads what is written to the unit as it is meant."""
    shown = subprocess.run(
        ["systemd-analyze", "calendar", normalised], capture_output=True, text=True, check=True
    ).stdout
    assert f"Normalized form: {normalised}\n" in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' names no time; it must be [Mon..Fri] [YEAR-MONTH-DAY] [HOUR:MINUTE[:SECOND]] [TIME ZONE], such as"),
        ("UTC", "UTC is neither a day of the week"),
        (
            "dayly",
            "nor one of minutely, hourly, daily, weekly, monthly, quarterly, semiannually, semi-annually, yearly, ",
        ),
        ("dayly", 'did you mean "daily"?'),
        ("minutly", 'did you mean "minutely"?'),
        ("semianually", 'did you mean "semiannually"?'),
        ("Mon..Fry 03:30", "Fry is neither a day of the week (Mon, Tue, Wed, Thu, Fri, Sat, Sun)"),
        ("Fri..Mon 03:30", "not in the order of a week, which begins on Monday; write Fri..Sun,Mon..Mon"),
        ("03:30 America/Chicgo", 'America/Chicgo is not a time zone; did you mean "America/Chicago"?'),
        ("03:30 ../etc/passwd", "../etc/passwd is not a time zone"),
        ("25:00", "the hour '25' must be *, or numbers from 0 to 23"),
        ("3:60", "the minute '60' must be"),
        ("3:0/0", "the minute '0/0' must be"),
        ("3:30:xx", "the second 'xx' must be"),
        ("*-13-01", "the month '13' must be *, or numbers from 1 to 12"),
        ("*-*-*/2", "the day '*/2' must be"),
        ("*-*-0 3:00", "the day '0' must be"),
        ("20-01-01", "the year '20' must be *, or numbers from 1970 to 2199"),
        ("3..2:00", "the hour '3..2': the end of the range must come after its start"),
        ("*-02,04-31 3:00", "no month that it names has such a day"),
        ("03:30 Mon", "Mon is not a time zone"),
        ("Mon 03:30 UTC now", "is not a calendar event; it must be [Mon..Fri]"),
        ("330", "is not a calendar event; it must be"),
        ("*-*-~1 3:00", "the day '~1' must be"),
        ("@1700000000", "is not a calendar event"),
    ],
)
def test_an_error_says_what_is_allowed(text: str, message: str) -> None:
    """And where a word is unknown, what is meant."""
    with pytest.raises(ValidationError) as error:
        Calendar.parse(text)
    assert message in str(error.value)
