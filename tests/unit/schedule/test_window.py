"""When windows are open: at changes of the clocks, over midnight, on leap days and on dates."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcaptain.schedule.window import WindowSpec, desired, intervals, time_zone
from fleetcaptain.untrusted import Unreadable
from tests.unit.schedule.windows import EVERY_DAY, at, changes, minutes, open_minutes, specs, window


def occurrences(spec: WindowSpec, start: str, end: str) -> list[tuple[int, int]]:
    """Start and end of the occurrences of *spec* from *start* to *end*."""
    return [(found.start, found.end) for found in intervals([spec], at(start), at(end))]


@settings(max_examples=60)
@given(st.data())
def test_a_window_is_open_as_the_clock_on_the_wall_says(data: st.DataObject) -> None:
    """Minute by minute, at each change of the clocks; also with a lead, and two windows at once."""
    timezone, around = data.draw(changes())
    windows = data.draw(st.lists(specs(timezone, around), min_size=1, max_size=2))
    lead_sec = data.draw(st.sampled_from([0, 60, 180, 3600, 90000]))
    wanted = [open_minutes(spec, around, lead_sec) for spec in windows]
    middle = at(around.isoformat())
    for minute in minutes(middle - 2 * 86400, middle + 2 * 86400):
        most = max([1, *(spec.at_least for spec, found in zip(windows, wanted, strict=True) if minute in found)])
        assert desired(1, windows, minute, lead_sec) == most, minute


@settings(max_examples=30)
@given(st.data())
def test_intervals_are_the_minutes_at_which_a_window_is_open(data: st.DataObject) -> None:
    """Those that overlap the span, by their start, with their window."""
    timezone, around = data.draw(changes())
    spec = data.draw(specs(timezone, around))
    start, end = at(around.isoformat()) - 40000, at(around.isoformat()) + 90000
    found = list(intervals([spec], start, end))
    assert found == sorted(found, key=lambda interval: interval.start)
    assert all(interval.start < end and interval.end > start and interval.window is spec for interval in found)
    covered = {minute for interval in found for minute in minutes(interval.start, interval.end)}
    assert covered & set(minutes(start, end)) == open_minutes(spec, around) & set(minutes(start, end))


def test_an_hour_that_happens_twice_is_covered_both_times() -> None:
    """Chicago, 1 November 2026: 01:00 to 02:00 comes first in summer time, then in winter time."""
    spec = window(ready_by=90, until=100, timezone="America/Chicago", dates=(date(2026, 11, 1),))
    assert occurrences(spec, "2026-11-01", "2026-11-02") == [
        (at("2026-11-01T01:30-05:00"), at("2026-11-01T01:40-06:00"))
    ]
    before = window(ready_by=30, until=60, timezone="America/Chicago", dates=(date(2026, 11, 1),))
    assert occurrences(before, "2026-11-01", "2026-11-02") == [
        (at("2026-11-01T00:30-05:00"), at("2026-11-01T01:00-05:00"))
    ]


def test_a_start_in_the_hour_that_does_not_exist_is_the_minute_after_it() -> None:
    """Chicago, 8 March 2026: after 01:59 comes 03:00. A window that is within the missing hour does not occur."""
    days = (date(2026, 3, 7), date(2026, 3, 8), date(2026, 3, 9))
    spec = window(ready_by=150, until=240, timezone="America/Chicago", dates=days[1:2])
    after = at("2026-03-08T03:00-05:00")
    assert occurrences(spec, "2026-03-08", "2026-03-09") == [(after, after + 3600)]
    missing = window(ready_by=120, until=180, timezone="America/Chicago", dates=days)
    assert [start for start, _ in occurrences(missing, "2026-03-07", "2026-03-10")] == [
        at("2026-03-07T02:00-06:00"),
        at("2026-03-09T02:00-05:00"),
    ]


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    """``until`` up to ``ready_by`` is on the next day; 24:00 is the end of the same day."""
    friday = window(ready_by=23 * 60, until=60, days=(4,))
    assert occurrences(friday, "2026-11-23", "2026-11-30") == [(at("2026-11-27T23:00"), at("2026-11-28T01:00"))]
    whole_day = window(ready_by=0, until=1440, dates=(date(2028, 2, 29),))
    assert occurrences(whole_day, "2028-01-01", "2028-12-31") == [(at("2028-02-29T00:00"), at("2028-03-01T00:00"))]


def test_a_day_that_a_zone_left_out_has_no_window() -> None:
    """Samoa had no 30 December 2011."""
    spec = window(timezone="Pacific/Apia", dates=(date(2011, 12, 29), date(2011, 12, 30), date(2011, 12, 31)))
    assert [start for start, _ in occurrences(spec, "2011-12-28", "2012-01-02")] == [
        at("2011-12-29T03:30-10:00"),
        at("2011-12-31T03:30+14:00"),
    ]


def test_the_zones_that_are_furthest_from_utc_are_covered() -> None:
    """A day begins 14 hours before it does in UTC, or ends 12 hours after it does in UTC."""
    early = window(ready_by=0, until=60, timezone="Pacific/Kiritimati", dates=(date(2026, 11, 28),))
    opens = at("2026-11-27T10:00")
    assert occurrences(early, "2026-11-27T10:30", "2026-11-27T10:40") == [(opens, opens + 3600)]
    late = window(ready_by=1439, until=1438, timezone="Etc/GMT+12", dates=(date(2026, 11, 25),))
    assert occurrences(late, "2026-11-27T11:00", "2026-11-27T12:00") == [
        (at("2026-11-26T11:59"), at("2026-11-27T11:58"))
    ]
    assert desired(4, [late], at("2026-11-27T11:57")) == 12


def test_desired_is_the_most_of_all_open_windows_and_never_less_than_the_instances() -> None:
    """Windows that touch leave no minute between them; the last second before the end still counts."""
    windows = [window(at_least=12), window(at_least=8, ready_by=240, until=300), window(at_least=2, until=1000)]
    numbers = {"03:29": 4, "03:30": 12, "04:29": 12, "04:30": 8, "04:59": 8, "05:00": 4}
    assert {time: desired(4, windows, at(f"2026-11-27T{time}")) for time in numbers} == numbers
    assert desired(4, windows, at("2026-11-27T04:30") - 0.5) == 12
    assert desired(4, windows, at("2026-11-27T03:30") - 180.5, 180) == 4
    assert desired(4, windows, at("2026-11-27T03:30") - 180, 180) == 12


@given(st.data())
def test_data_is_read_back_as_the_same_window(data: st.DataObject) -> None:
    """Through JSON, as etcd and Pulumi's state have it."""
    spec = data.draw(specs(*data.draw(changes())))
    assert WindowSpec.from_data(json.loads(json.dumps(spec.to_data()))) == spec


def test_data_is_readable() -> None:
    """Pulumi shows it when a window changes."""
    assert window(days=(0, 1, 4), timezone="America/Chicago").to_data() == {
        "name": "peak",
        "at_least": 12,
        "ready_by": "03:30",
        "until": "04:30",
        "days": "Mon Tue Fri",
        "timezone": "America/Chicago",
        "machines": 0,
    }
    assert window(dates=(date(2026, 12, 24),)).to_data()["dates"] == ["2026-12-24"]


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "a;b"},
        {"name": "a" * 41},
        {"at_least": 101},
        {"at_least": True},
        {"ready_by": "24:00"},
        {"ready_by": "3:30"},
        {"ready_by": "04:30"},
        {"until": "24:01"},
        {"until": 270},
        {"days": "Mon Mon"},
        {"days": "Mo"},
        {"days": ""},
        {"dates": ["2026-12-24"]},
        {"days": None, "dates": ["2026-02-29"]},
        {"days": None, "dates": ["2026-12-24", "2026-12-24"]},
        {"days": None, "dates": ["1999-12-24"]},
        {"days": None, "dates": ["2026-12-24"] * 367},
        {"timezone": "../../etc/passwd"},
        {"timezone": None},
        {"machines": -1},
    ],
)
def test_other_data_is_rejected(changed: dict[str, Any]) -> None:
    """Every client of etcd can write any."""
    with pytest.raises(Unreadable):
        WindowSpec.from_data({**window().to_data(), **changed})


@pytest.mark.parametrize("name", ["America/Chikago", "localtime", "posixrules", "right/UTC", "America", "../UTC", ""])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    """The machine's own zone plays no part."""
    with pytest.raises(Unreadable, match="does not know the time zone"):
        time_zone(name)


def test_where_the_machine_has_no_zones_the_shipped_data_is_used() -> None:
    """It is that of the package tzdata."""
    code = (
        "from fleetcaptain.schedule.window import *; from datetime import date;"
        "print([i.start for i in intervals([WindowSpec('a', 2, 210, 270, (), (date(2026, 7, 1),), 'America/Chicago')],"
        "1782777600, 1783036800)])"
    )
    environment = {"PYTHONTZPATH": "", "TZ": "Asia/Kolkata"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout.strip() == f"[{at('2026-07-01T03:30-05:00')}]"


def test_a_year_of_a_daily_window_has_a_window_each_day() -> None:
    """Whatever the clocks do."""
    spec = window(timezone="Europe/London")
    found = occurrences(spec, "2028-01-01", "2029-01-01")
    assert len(found) == 366
    assert {end - start for start, end in found} == {3600}
    assert spec.days == EVERY_DAY
    assert all(later[0] - earlier[0] in (82800, 86400, 90000) for earlier, later in pairwise(found))
    assert timedelta(seconds=found[-1][0] - found[0][0]) == timedelta(days=365)
