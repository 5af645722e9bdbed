"""Resolves the windows of a service, and finds every mistake in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from fleetcaptain.fleetfile.validation_error import ValidationError, did_you_mean, represented
from fleetcaptain.fleetfile.values import Window
from fleetcaptain.schedule.window import (
    DAYS,
    MOST_DATES,
    MOST_INSTANCES,
    MOST_MACHINES,
    MOST_WINDOWS,
    WINDOW_NAME,
    YEARS,
    WindowSpec,
    known_time_zones,
    minute_of_day,
    time_zone,
)
from fleetcaptain.untrusted import Unreadable

__all__ = ["resolve_windows", "windows"]

_EVERY_DAY = tuple(range(len(DAYS)))


def windows(value: Any) -> tuple[Window, ...]:
    """*value*, if it is a list of windows; `resolve_windows` checks each. Raises `ValidationError`."""
    if not isinstance(value, list | tuple):
        raise ValidationError(
            f"must be a list of Window(...), not {represented(value)}; for a fixed number write instances="
        )
    for entry in value:
        if not isinstance(entry, Window):
            raise ValidationError(f"each entry must be a Window(...), not {represented(entry)}")
    if len(value) > MOST_WINDOWS:
        raise ValidationError(f"a service can have at most {MOST_WINDOWS} windows, not {len(value)}; merge some")
    return tuple(value)


def resolve_windows(
    given: Sequence[Window], instances: int | None, add: Callable[[str], None]
) -> tuple[WindowSpec, ...]:
    """The windows *given* to a service with so many *instances* (None: unknown). *add* gets each mistake; a window with
    one is left out."""
    names = [window.name for window in given if isinstance(window.name, str)]
    found, wrong = [], []
    for window in given:
        values: dict[str, Any] = {}
        mistakes = list(_mistakes(window, instances, values))
        if "name" in values and names.count(values["name"]) > 1:
            mistakes.append(_mistake(window, "another window of the service has the same name; rename one of them"))
        wrong += mistakes
        if not mistakes:
            found.append(WindowSpec(**values))
    for mistake in dict.fromkeys(wrong):
        add(mistake)
    return tuple(found)


def _mistakes(window: Window, instances: int | None, values: dict[str, Any]) -> Iterator[str]:
    """The mistakes in *window*; what is right is put into *values*."""
    for field, parse in (
        ("name", _name),
        ("at_least", _at_least),
        ("ready_by", _ready_by),
        ("until", _until),
        ("days", _days),
        ("dates", _dates),
        ("timezone", _timezone),
        ("machines", _machines),
    ):
        given = getattr(window, field)
        try:
            values[field] = parse(given)
        except ValidationError as error:
            yield _mistake(window, str(error), field)
    if instances is not None and "at_least" in values and values["at_least"] <= instances:
        why = f"must be more than the number of instances ({instances}), or the window changes nothing"
        yield _mistake(window, why, "at_least")
    if values.get("ready_by") is not None and values["ready_by"] == values.get("until"):
        yield _mistake(window, 'must not be the same as ready_by; for a whole day write "00:00" and "24:00"', "until")
    if window.days is not None and window.dates is not None:
        yield _mistake(window, "cannot have both days and dates; write two windows")
    elif window.dates is None and window.days is None:
        values["days"] = _EVERY_DAY


def _mistake(window: Window, why: str, field: str = "") -> str:
    wrong = f", {field}={represented(getattr(window, field))}" if field not in ("", "name") else ""
    return f"Window({represented(window.name)}{wrong}): {why}"


def _name(value: Any) -> str:
    if not isinstance(value, str) or not WINDOW_NAME.fullmatch(value):
        raise ValidationError(
            "the name must have lower case letters, digits, _ and -, a letter or digit first, at most 40 characters"
        )
    return value


def _at_least(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_INSTANCES:
        raise ValidationError(f"must be an integer from 1 to {MOST_INSTANCES}")
    return value


def _ready_by(value: Any) -> int:
    return _time(value, "23:59")


def _until(value: Any) -> int:
    return _time(value, "24:00")


def _time(value: Any, last: str) -> int:
    try:
        minute = minute_of_day(value if isinstance(value, str) else "")
    except Unreadable:
        minute = None
    if minute is None or minute > minute_of_day(last):
        raise ValidationError(f'must be a time from "00:00" to "{last}", such as "03:30"')
    return minute


def _days(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    parts = [part.strip() for entry in _strings(value, 'such as "Mon-Fri" or "Sat,Sun"') for part in entry.split(",")]
    found: set[int] = set()
    for part in parts:
        if ".." in part:
            raise ValidationError(
                f'{represented(part)}: a range of days has one dash; write "{re.sub("[.]+", "-", part)}"'
            )
        first, dash, last = part.partition("-")
        begin, end = _day(first), _day(last if dash else first)
        # A range may go over the end of the week, as in Sat-Mon.
        found.update((begin + number) % len(DAYS) for number in range((end - begin) % len(DAYS) + 1))
    return tuple(sorted(found))


def _day(text: str) -> int:
    if text not in DAYS:
        near = text[:3].capitalize()
        raise ValidationError(f"{represented(text)} is not one of {', '.join(DAYS)}{did_you_mean(near, DAYS)}")
    return DAYS.index(text)


def _dates(value: Any) -> tuple[date, ...]:
    if value is None:
        return ()
    what = 'such as ["2026-12-24"]'
    if isinstance(value, str):
        raise ValidationError(f"must be a list of dates, {what}")
    found = {_date(entry) for entry in _strings(value, what)}
    if len(found) > MOST_DATES:
        raise ValidationError(f"a window can have at most {MOST_DATES} dates; write another window for the others")
    return tuple(sorted(found))


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    # Python also reads other forms of ISO 8601.
    if found is None or found.isoformat() != text or found.year not in YEARS:
        raise ValidationError(
            f"{represented(text)} is not a date from {YEARS[0]} to {YEARS[-1]} that exists; write it as in 2026-12-24"
        )
    return found


def _strings(value: Any, what: str) -> list[str]:
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
        raise ValidationError(f"must be a list of strings, {what}")
    if not entries:
        raise ValidationError("must not be empty; leave it out for every day")
    return list(entries)


def _timezone(value: Any) -> str:
    if not isinstance(value, str):
        raise ValidationError('must be the name of a time zone, such as "America/Chicago"')
    try:
        time_zone(value)
    except Unreadable:
        known = known_time_zones()
        if not known:
            raise ValidationError(
                "this computer has no data of time zones; install it with `pip install tzdata`"
            ) from None
        raise ValidationError(f"is not a time zone{did_you_mean(value, known)}") from None
    return value


def _machines(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_MACHINES:
        raise ValidationError(
            f"must be an integer from 1 to {MOST_MACHINES}; leave it out for a window without machines of its own"
        )
    return value
