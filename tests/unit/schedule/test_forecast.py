"""What the windows will do, and how it is shown."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcaptain.schedule.forecast import (
    DAY_SEC,
    Change,
    changes,
    forecast,
    format_forecast,
    mark_of,
    next_change,
    timezones_of,
)
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.schedule.window_plan import HORIZON_SEC, WindowPlan, plan_of
from tests.unit.schedule.windows import at, specs, window
from tests.unit.schedule.windows import changes as clock_changes

CHICAGO = "America/Chicago"
MEGAQUERY = window(name="megaquery", timezone=CHICAGO, days=(0, 1, 2, 3, 4))
NOW = at("2026-11-27T08:00:00")  # a Friday, 02:00 CST
OPENS, DUE, CLOSES = at("2026-11-27T09:27:00"), at("2026-11-27T09:30:00"), at("2026-11-27T10:30:00")


def plan(*windows: WindowSpec, base: int = 4, lead_sec: int = 180, now: int = NOW) -> WindowPlan:
    """The plan of the service web."""
    return plan_of("web@%.service", base, windows, lead_sec, now)


def steps(*windows: WindowSpec, start: int) -> list[tuple[int, int, int]]:
    """(minutes after midnight UTC of `NOW`'s day, before, after) of each change."""
    found = changes("web", plan(*windows, now=start), start, start + DAY_SEC)
    return [((one.at - at("2026-11-27")) // 60, one.before, one.after) for one in found]


def test_a_window_opens_by_its_lead_before_it_and_closes_at_its_end() -> None:
    """With the window's name, zone and what it is for."""
    found = changes("web", plan(MEGAQUERY), NOW, NOW + DAY_SEC, timezones_of([MEGAQUERY]))
    assert found == (
        Change(OPENS, "web", 4, 12, ("megaquery",), DUE, CHICAGO),
        Change(CLOSES, "web", 12, 4, ("megaquery",), 0, CHICAGO),
    )


def test_windows_that_overlap_give_the_change_points_of_their_union() -> None:
    """Hours of 27 November, in UTC."""
    low, high = window(name="low", at_least=8), window(name="high", ready_by=240, until=300)
    assert steps(low, high, start=at("2026-11-27")) == [(207, 4, 8), (237, 8, 12), (300, 12, 4)]
    same = window(name="same", ready_by=240, until=300)
    found = changes("web", plan(window(), same, now=at("2026-11-27")), at("2026-11-27"), NOW)
    assert [(one.before, one.after, one.windows) for one in found] == [(4, 12, ("peak",)), (12, 4, ("same",))]
    # The second one opens, by its lead, before the first one ends.
    assert steps(window(), window(name="next", ready_by=272, until=300), start=at("2026-11-27")) == [
        (207, 4, 12),
        (300, 12, 4),
    ]
    # Two at once: both names, and the later machines count.
    twins = plan(window(machines=1), window(name="twin", machines=3), now=at("2026-11-27"))
    assert [(one.windows, one.machines) for one in changes("web", twins, at("2026-11-27"), NOW)] == [
        (("peak", "twin"), 3)
    ] * 2


def test_instances_that_are_needed_again_soon_go_on() -> None:
    """Ten minutes later, by its lead earlier: 270 is the end of the first window."""
    again = window(name="again", at_least=8, ready_by=283, until=300)
    assert steps(window(), again, start=at("2026-11-27")) == [(207, 4, 12), (270, 12, 8), (300, 8, 4)]
    later = window(name="later", at_least=8, ready_by=284, until=300)
    assert [minute for minute, *_ in steps(window(), later, start=at("2026-11-27"))] == [207, 270, 281, 300]
    # Also if the forecast begins within the pause.
    more = plan(window(), window(name="more", ready_by=283, until=300), now=at("2026-11-27"))
    pause = at("2026-11-27T04:35:00")
    assert [(one.before, one.after) for one in changes("web", more, pause, pause + 3600)] == [(12, 4)]


def test_a_window_that_is_never_more_than_the_instances_changes_nothing() -> None:
    """Nothing opens or closes."""
    assert changes("web", plan(window(at_least=4)), NOW, NOW + DAY_SEC) == ()


@settings(max_examples=25)
@given(data=st.data(), zone=clock_changes(), lead=st.sampled_from([0, 60, 180, 7200]))
def test_between_two_changes_nothing_changes(data: st.DataObject, zone: tuple[str, date], lead: int) -> None:
    """By the agents' own rule, minute by minute: what is needed again within ten minutes goes on."""
    timezone, day = zone
    windows = data.draw(st.lists(specs(timezone, day), min_size=1, max_size=3))
    start = at(day.isoformat()) - DAY_SEC
    found = plan(*windows, lead_sec=lead, now=start - DAY_SEC)
    levels = {one.at: one.after for one in changes("web", found, start, start + 2 * DAY_SEC)}
    minutes = range(start - 7200, start + 2 * DAY_SEC, 60)
    needed = [found.desired(moment) for moment in range(minutes.start, minutes.stop + 600, 60)]
    running = planned = needed[0]
    for place, moment in enumerate(minutes):
        running = max(needed[place], min(running, max(needed[place : place + 11])))
        planned = running if moment < start else levels.get(moment, planned)
        assert planned == running
    assert all(edge % 60 == 0 for edge in levels)


def test_the_next_change_may_be_years_ahead() -> None:
    """As far as the plan reaches."""
    spec = window(dates=(date(2031, 12, 24),))
    found = next_change("web", plan(spec), NOW)
    assert found is not None
    assert found.at == at("2031-12-24T03:27:00")
    assert next_change("web", plan(spec, now=NOW), at("2031-12-25")) is None
    assert next_change("web", plan(MEGAQUERY), NOW + HORIZON_SEC) is None


def test_the_change_of_this_moment_is_over() -> None:
    """The next one is later."""
    found = next_change("web", plan(MEGAQUERY), OPENS)
    assert found is not None
    assert found.at == CLOSES


def test_the_forecast_has_all_services_in_the_order_of_time() -> None:
    """And who has room for the instances of an opening."""
    plans = {"web": plan(MEGAQUERY), "mail": plan(window(ready_by=9 * 60 + 30, until=10 * 60), base=1)}
    found = forecast(plans, NOW, {"web": {"megaquery": CHICAGO}}, lambda change: f"{change.service}: room")
    assert [(one.service, one.at - NOW, one.room) for one in found] == [
        ("mail", 5220, "mail: room"),
        ("web", 5220, "web: room"),
        ("mail", 7200, ""),
        ("web", 9000, ""),
    ]
    assert forecast(plans, CLOSES, {})[0].at == at("2026-11-28T09:27:00")


def test_the_table_of_the_forecast() -> None:
    """In the window's zone and in UTC. What nothing says has no column."""
    plans, zones = {"web": plan(MEGAQUERY)}, {"web": {"megaquery": CHICAGO}}
    assert format_forecast(forecast(plans, NOW, zones, lambda _: "room on 3 of 3 machines"), NOW).splitlines() == [
        "Windows in the next 24 h:",
        "WHEN           UTC    IN          SERVICE  INSTANCES  WINDOW                         ROOM",
        "Fri 03:27 CST  09:27  1 h 27 min  web      4 -> 12    megaquery, ready by 03:30 CST  room on 3 of 3 machines",
        "Fri 04:30 CST  10:30  2 h 30 min  web      12 -> 4    megaquery closes",
    ]
    assert "ROOM" not in format_forecast(forecast(plans, NOW, zones), NOW)
    assert format_forecast((), NOW) == "No window opens or closes in the next 24 h."


@pytest.mark.parametrize(("services", "lines"), [(14, 30), (15, 30), (40, 30)])
def test_the_table_has_at_most_thirty_lines(services: int, lines: int) -> None:
    """The last one counts the rest. Each service has two changes."""
    plans = {f"web{number}": plan(MEGAQUERY) for number in range(services)}
    found = format_forecast(forecast(plans, NOW, {}), NOW).splitlines()
    assert len(found) == lines
    left_out = 2 * services - 27
    rest = f"and {left_out} more; `captain schedule` lists all of them."
    assert (found[-1] == rest) is (services > 14)


@pytest.mark.parametrize(
    ("number", "moment", "mark"),
    [
        (12, CLOSES, "12 until 04:30 CST"),
        (4, OPENS, "4 -> 12 at 03:27 CST"),
        (4, OPENS + 3 * DAY_SEC, "4 -> 12 at Mon 03:27 CST"),
        (4, OPENS + 30 * DAY_SEC, "4 -> 12 at 2026-12-27 03:27 CST"),
    ],
)
def test_the_mark_of_a_service(number: int, moment: int, mark: str) -> None:
    """As short as the distance allows."""
    before, after = (12, 4) if number > 4 else (4, 12)
    assert mark_of(number, 4, Change(moment, "web", before, after, ("megaquery",), 0, CHICAGO), NOW) == mark


def test_the_mark_without_a_change() -> None:
    """All its dates are past."""
    assert mark_of(4, 4, None, NOW) == "4, no window ahead"
