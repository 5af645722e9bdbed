"""When the groups of windows have how many machines: read minute by minute, as AWS runs the scheduled actions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.aws.window_schedule import MOST_CHANGES, SizeChange, WindowGroup, machine_lead_sec, window_groups
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.schedule.window import WindowSpec
from tests.unit.fleetfile.written import app
from tests.unit.schedule.windows import at, changes, minutes, open_minutes, specs, window

_DAY = 86400
_CRON = re.compile(r"(\d+) (\d+) \* \* ([0-6])")
NOW = at("2026-11-27")
MEGAQUERY = window(name="megaquery", days=(0, 1, 2, 3, 4), timezone="America/Chicago", machines=4)


def sizes(group: WindowGroup, first: int, last: int) -> dict[int, int]:
    """How many machines AWS gives *group* in each minute. It looks at the clock of the group's time zone."""
    size = group.now if group.changes else group.most
    if not group.timezone:
        once = {at(change.start): change.size for change in group.changes}
        return {minute: (size := once.get(minute, size)) for minute in minutes(first, last)}
    actions = {_slot(change): change.size for change in group.changes}
    clock, unclear = _clock(group.timezone, first, last)
    assert not unclear & actions.keys(), "AWS does not document when such a minute is"
    return {minute: (size := actions.get(slot, size)) for minute, slot in clock.items()}


_Slot = tuple[int, int, int]


@cache
def _clock(timezone: str, first: int, last: int) -> tuple[dict[int, _Slot], set[_Slot]]:
    """Minute -> day of the week, hour and minute in the time zone; and those of them that happen twice on a day."""
    zone = ZoneInfo(timezone)
    moments = {minute: datetime.fromtimestamp(minute, zone) for minute in minutes(first, last)}
    slots = {minute: (moment.isoweekday() % 7, moment.hour, moment.minute) for minute, moment in moments.items()}
    days = Counter((moments[minute].date(), slot) for minute, slot in slots.items())
    return slots, {slot for (_, slot), count in days.items() if count > 1}


def _slot(change: SizeChange) -> _Slot:
    match = _CRON.fullmatch(change.recurrence)
    assert match, change
    minute, hour, day = map(int, match.groups())
    return day, hour, minute


def needed(services: Sequence[Sequence[WindowSpec]], around: date, lead_sec: int) -> dict[int, int]:
    """How many machines *services* need in each minute of the four days around a date."""
    middle = at(around.isoformat())
    open_at = [[(spec.machines, open_minutes(spec, around, lead_sec)) for spec in windows] for windows in services]
    return {
        minute: sum(max((machines for machines, found in windows if minute in found), default=0) for windows in open_at)
        for minute in minutes(middle - 2 * _DAY, middle + 2 * _DAY)
    }


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_there_are_never_too_few_machines(data: st.DataObject) -> None:
    """Also in the nights in which the clocks change, and with windows of several zones and on dates."""
    timezone, around = data.draw(changes())
    around += timedelta(days=data.draw(st.sampled_from([-7, 0, 1, 7])))
    zones = st.sampled_from([timezone, timezone, "Europe/London"])
    spec = zones.flatmap(lambda zone: specs(zone, around))
    services = data.draw(st.lists(st.lists(spec, min_size=1, max_size=2), min_size=1, max_size=2))
    lead_sec = data.draw(st.sampled_from([0, 60, 600, 5000]))
    middle = at(around.isoformat())
    groups = window_groups(services, middle - 10 * _DAY, lead_sec)
    given = [sizes(group, middle - 10 * _DAY, middle + 2 * _DAY) for group in groups]
    for minute, wanted in needed(services, around, lead_sec).items():
        assert sum(found[minute] for found in given) >= wanted, minute


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_deployment_sets_what_the_actions_have_set(data: st.DataObject) -> None:
    """So one in a window changes nothing, and one after a change of the windows leaves no machine without a window. In
    the five minutes before machines come it may bring them already."""
    timezone, around = data.draw(changes())
    services = [data.draw(st.lists(specs(timezone, around), min_size=1, max_size=3))]
    lead_sec = data.draw(st.sampled_from([0, 600]))
    now = at(around.isoformat()) + 60 * data.draw(st.integers(-2 * 1440, 2 * 1440))
    before = window_groups(services, now - 10 * _DAY, lead_sec)
    for group, found in zip(window_groups(services, now, lead_sec), before, strict=True):
        given = sizes(found, now - 10 * _DAY, now + 360)
        assert group.now == max(given[minute] for minute in minutes(now, now + 360))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_there_are_never_too_many_either(data: st.DataObject) -> None:
    """As long as the clocks do not change on that day of the week, and all windows are in one group."""
    timezone, around = data.draw(st.sampled_from([("Asia/Kolkata", date(2026, 11, 27)), ("UTC", date(2027, 1, 1))]))
    by_date = data.draw(st.booleans())
    spec = specs(timezone, around).filter(lambda spec: bool(spec.dates) == by_date)
    services = data.draw(st.lists(st.lists(spec, min_size=1, max_size=3), min_size=1, max_size=3))
    lead_sec = data.draw(st.sampled_from([0, 60, 600, 5000]))
    middle = at(around.isoformat())
    wanted = {**needed(services, around, lead_sec), **needed(services, around + timedelta(days=4), lead_sec)}
    for group in window_groups(services, middle - 10 * _DAY, lead_sec):
        found = sizes(group, middle - 10 * _DAY, middle + 6 * _DAY)
        assert {minute: found[minute] for minute in wanted} == wanted
        assert group.most >= max(wanted.values())
        assert all(change.size != before.size for change, before in zip(group.changes[1:], group.changes, strict=False))


def recurrences(*services: Sequence[WindowSpec], lead_sec: int = 600) -> dict[str, int]:
    """Recurrence -> size, of the only group."""
    (group,) = window_groups(services, NOW, lead_sec)
    return {change.recurrence or change.start: change.size for change in group.changes}


def test_the_megaquery_brings_its_machines_ten_minutes_ahead() -> None:
    """On working days, in the time of its zone. Each day has actions of its own, named after their time: so a change
    of the days never creates an action at the time of another one, which AWS refuses."""
    (group,) = window_groups([[MEGAQUERY]], NOW, 600)
    assert (group.name, group.timezone, group.most, group.now) == ("windows-america-chicago", "America/Chicago", 4, 0)
    assert group.changes[:2] == (
        SizeChange("mon-0320", 4, recurrence="20 3 * * 1"),
        SizeChange("mon-0430", 0, recurrence="30 4 * * 1"),
    )
    assert len(group.changes) == 10


def test_services_add_up_and_windows_of_one_service_do_not() -> None:
    """At the end of one window there is what the others need; nothing happens when that is the same."""
    night = window(days=(0,), ready_by=180, until=300, machines=2)
    assert recurrences([window(days=(0,), machines=4)], [night]) == {
        "50 2 * * 1": 2,
        "20 3 * * 1": 6,
        "30 4 * * 1": 2,
        "0 5 * * 1": 0,
    }
    assert recurrences([window(days=(0,), machines=4), night]) == {
        "50 2 * * 1": 2,
        "20 3 * * 1": 4,
        "30 4 * * 1": 2,
        "0 5 * * 1": 0,
    }
    assert recurrences([window(days=(0,), machines=2), night]) == {"50 2 * * 1": 2, "0 5 * * 1": 0}


def test_a_lead_over_midnight_is_on_the_day_before() -> None:
    """Of a Monday that is the Sunday."""
    assert recurrences([window(days=(0,), ready_by=5, until=60, machines=1)]) == {"55 23 * * 0": 1, "0 1 * * 1": 0}


def test_no_action_is_at_a_time_that_a_change_of_the_clocks_skips_or_repeats() -> None:
    """Berlin skips 02:00 to 03:00 in March and has it twice in October, on a Sunday. Other days keep their times."""
    found = recurrences([window(days=(5, 6), ready_by=150, until=175, timezone="Europe/Berlin", machines=1)])
    assert found == {"20 2 * * 6": 1, "55 2 * * 6": 0, "59 1 * * 0": 1, "0 3 * * 0": 0}


def test_a_lead_over_a_change_of_the_clocks_is_as_long_as_ever() -> None:
    """20 minutes before 03:10 of the day without 02:00 to 03:00 it is 01:50."""
    found = recurrences(
        [window(days=(6,), ready_by=190, until=240, timezone="Europe/Berlin", machines=1)], lead_sec=1200
    )
    assert found == {"50 1 * * 0": 1, "0 4 * * 0": 0}


def test_dates_are_actions_that_run_once() -> None:
    """Those of the past are left out; a window that has begun still has its end. Neither changes the group's size."""
    dated = window(dates=(date(2026, 1, 1), date(2026, 11, 27), date(2026, 12, 24)), machines=3)
    (group,) = window_groups([[dated]], at("2026-11-27T03:25"), 600)
    assert (group.name, group.timezone, group.most, group.now) == ("windows-dates", "", 3, 3)
    assert [(change.name, change.start, change.size) for change in group.changes] == [
        ("2026-11-27-0430", "2026-11-27T04:30:00Z", 0),
        ("2026-12-24-0320", "2026-12-24T03:20:00Z", 3),
        ("2026-12-24-0430", "2026-12-24T04:30:00Z", 0),
    ]
    (over,) = window_groups([[dated]], at("2027-06-01"), 600)
    assert (over.most, over.now, over.changes) == (3, 0, ())


def test_a_group_that_is_created_in_a_window_has_its_machines_at_once() -> None:
    """The action of the window's begin is over by then, or five minutes later."""
    assert [group.now for group in window_groups([[MEGAQUERY]], at("2026-11-27T03:15-06:00"), 600)] == [4]
    assert [group.now for group in window_groups([[MEGAQUERY]], at("2026-11-27T04:30-06:00"), 600)] == [0]


def test_the_machines_of_a_window_that_was_removed_go() -> None:
    """No action would end them before the next window."""
    christmas = window(dates=(date(2026, 12, 24),), ready_by=1020, until=1440, machines=3)
    evening = at("2026-12-24T18:00")
    assert [group.now for group in window_groups([[christmas]], evening, 600)] == [3]
    (shorter,) = window_groups([[replace(christmas, until=1050)]], evening, 600)
    assert (shorter.now, shorter.changes) == (0, ())
    saturday = window(days=(5,), timezone="America/Chicago", machines=2)
    friday = at("2026-11-27T04:00-06:00")
    assert [group.now for group in window_groups([[MEGAQUERY, saturday]], friday, 600)] == [4]
    assert [group.now for group in window_groups([[saturday]], friday, 600)] == [0]


def test_machines_come_early_enough_for_the_slowest_start(tmp_path: Path) -> None:
    """Of a service with windows. AWS may be late, the machine boots, and the agents look."""
    slow = (
        "Service('web', instances=2, start_sec={}, scale=[Window('peak', at_least=4, ready_by='03:30', until='04:30')])"
    )
    assert machine_lead_sec(app(tmp_path, slow.format(400))) == 120 + 180 + 120 + 400
    assert machine_lead_sec(app(tmp_path, slow.format(None) + ", Service('job', start_sec=900)")) == 720


def test_each_zone_has_its_group_and_dates_have_one() -> None:
    """One recurrence has one time zone; and an action on a date would be ended by one that recurs."""
    services = [
        [MEGAQUERY, window(dates=(date(2026, 12, 24),), machines=9)],
        [window(timezone="Asia/Kolkata", machines=1), window(timezone="Europe/Berlin")],
    ]
    found = {group.name: group.most for group in window_groups(services, NOW, 600)}
    assert found == {"windows-america-chicago": 4, "windows-asia-kolkata": 1, "windows-dates": 9}
    assert window_groups([[window()], []], NOW, 600) == ()
    opposite = [[window(timezone=f"Etc/GMT{sign}5", machines=1) for sign in "+-"]]
    assert len({group.name for group in window_groups(opposite, NOW, 600)}) == 2


def test_a_window_that_never_closes_needs_no_action() -> None:
    """Its group is created with its machines."""
    (group,) = window_groups([[window(ready_by=0, until=1440, machines=2)]], NOW, 600)
    assert (group.now, group.changes) == (2, ())


def test_more_changes_than_aws_allows_are_refused() -> None:
    """With the number."""
    many = [[window(ready_by=60 * hour, until=60 * hour + 30, machines=1)] for hour in range(9)]
    with pytest.raises(ClusterRefused) as refused:
        window_groups(many, NOW, 600)
    (problem,) = refused.value.problems
    assert f"windows-utc changes 126 times, and AWS allows {MOST_CHANGES}" in problem


def test_a_schedule_does_not_depend_on_the_moment_of_the_deployment() -> None:
    """Else a second `pulumi up` would change something."""
    moments = [at("2026-01-01"), at("2026-03-08T08:00"), NOW, int(datetime(2026, 12, 31, tzinfo=UTC).timestamp())]
    found = {group.changes for now in moments for group in window_groups([[MEGAQUERY]], now, 600)}
    assert len(found) == 1
