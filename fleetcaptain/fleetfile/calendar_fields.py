"""The parts of a calendar event: days of the week, and the numbers of a date and a time. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from fleetcaptain.fleetfile.validation_error import ValidationError, did_you_mean, represented

__all__ = ["CALENDAR_NAMES", "CalendarField", "field_of", "listed", "weekdays_of"]

CALENDAR_NAMES = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "semi-annually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
}
"""Names of calendar events, as systemd has them, and what they mean."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ITEM = re.compile(r"([0-9]{1,4})(?:\.\.([0-9]{1,4}))?(?:/([0-9]{1,4}))?")
_LONG_RUN = 3


@dataclass(frozen=True)
class CalendarField:
    """One number of a date or a time: its normalised *text*, and the *values* that it allows."""

    text: str
    values: frozenset[int]


def weekdays_of(word: str, text: str) -> frozenset[int]:
    """The days in *word*, such as ``Mon,Wed..Fri``, of the calendar event *text*; 0 is Monday. Raises
    ValidationError."""
    found: set[int] = set()
    for item in word.split(","):
        first, _, last = item.partition("..")
        start = _weekday(first, text)
        end = _weekday(last, text) if last else start
        if start > end:
            raise ValidationError(
                f"{represented(text)}: the days of {item} are not in the order of a week, which begins on Monday; "
                f"write {_DAYS[start]}..Sun,Mon..{_DAYS[end]}"
            )
        found.update(range(start, end + 1))
    return frozenset(found)


def _weekday(word: str, text: str) -> int:
    name = word.title()
    if name not in _DAYS:
        raise ValidationError(
            f"{represented(text)}: {word} is neither a day of the week ({', '.join(_DAYS)}) nor one of "
            f"{', '.join(CALENDAR_NAMES)}{did_you_mean(word.lower(), CALENDAR_NAMES)}"
        )
    return _DAYS.index(name)


def listed(days: Collection[int]) -> str:
    """The text of *days*; "" for all of them."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [
        f"{_DAYS[run[0]]}..{_DAYS[run[-1]]}" if len(run) >= _LONG_RUN else ",".join(_DAYS[day] for day in run)
        for run in runs
    ]
    return "" if len(days) == len(_DAYS) else ",".join(names)


def field_of(name: str, text: str, allowed: range) -> CalendarField:
    """The number *name* of a date or a time, whose values are *allowed*. Raises ValidationError."""
    if text == "*":
        return CalendarField("*", frozenset(allowed))
    # systemd has no "*/15".
    given = text.replace("*/", f"{allowed[0]}/") if name not in ("year", "month", "day") else text
    texts, values = [], set[int]()
    for item in given.split(","):
        match = _ITEM.fullmatch(item)
        start, end, step = (int(number) if number else None for number in match.groups()) if match else (None,) * 3
        if start is None or step == 0 or not all(one in allowed for one in (start, end) if one is not None):
            raise ValidationError(
                f"the {name} {represented(text)} must be *, or numbers from {allowed[0]} to {allowed[-1]}: a list "
                "(1,15), a range (1..5) or a start with a step (0/15)"
            )
        if end is not None and end <= start:
            raise ValidationError(f"the {name} {represented(text)}: the end of the range must come after its start")
        last = end if end is not None else allowed[-1] if step else start
        values.update(range(start, last + 1, step or 1))
        texts.append(f"{start:02}{'' if end is None else f'..{end:02}'}{f'/{step}' if step else ''}")
    return CalendarField(",".join(texts), frozenset(values))
