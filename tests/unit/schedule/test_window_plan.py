"""The plan that machine agents follow says the same as the windows themselves."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcaptain.schedule.window import WindowSpec, desired
from fleetcaptain.schedule.window_event import WindowEvent
from fleetcaptain.schedule.window_plan import HORIZON_SEC, Series, WindowPlan, plan_of
from fleetcaptain.untrusted import Unreadable
from tests.unit.schedule.windows import CHANGES, at, minutes, specs, window

NOW = at("2026-11-27T03:00")
CHICAGO = window(name="megaquery", days=(0, 1, 2, 3, 4), timezone="America/Chicago")


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[WindowSpec], WindowPlan]:
    """Up to two windows and their plan."""
    timezone = draw(st.sampled_from(sorted(CHANGES)))
    windows = draw(st.lists(specs(timezone, date(2027, 3, 14)), min_size=1, max_size=2))
    return windows, plan_of("web@%.service", 1, windows, draw(st.sampled_from([0, 180, 4000, 90000])), NOW)


@settings(max_examples=25)
@given(plans(), st.data())
def test_a_plan_says_the_same_as_the_windows(made: tuple[list[WindowSpec], WindowPlan], data: st.DataObject) -> None:
    """For every minute of random spans up to the horizon, and of its last day."""
    windows, plan = made
    start = data.draw(st.one_of(st.integers(NOW, plan.horizon - 86400), st.sampled_from([NOW, plan.horizon - 86400])))
    for minute in minutes(start + 59, start + 86400):
        assert plan.desired(minute) == desired(1, windows, minute, plan.lead_sec), minute


@settings(max_examples=25)
@given(plans())
def test_text_is_read_back_as_the_same_plan(made: tuple[list[WindowSpec], WindowPlan]) -> None:
    """It has nothing that JSON would escape."""
    text = made[1].to_text()
    assert WindowPlan.from_text(text) == made[1]
    assert re.fullmatch(r"[A-Za-z0-9 =@%.:;_-]+", text)


def test_a_window_of_five_days_is_some_ten_series_a_year() -> None:
    """So the plan of ten years is small enough to be read once a minute."""
    plan = plan_of("web@%.service", 4, [CHICAGO], 180, NOW)
    assert 90 < len(plan.series) <= 110
    assert len(plan.to_text()) < 6000
    assert plan.horizon == NOW + HORIZON_SEC
    head, first, *_ = plan.to_text().split(";")
    assert head == f"v1 unit=web@%.service base=4 most=12 warm=12 lead=180 horizon={plan.horizon}"
    assert first == f"{at('2026-11-27T03:30-06:00')}:604800:16:3600:12:0:megaquery"


def test_days_in_a_row_are_one_series() -> None:
    """A daily window in a zone that never changes its clocks is one for all ten years; so are dates in a row."""
    dates = (date(2026, 12, 23), date(2026, 12, 24), date(2026, 12, 31))
    plan = plan_of("web@%.service", 1, [window(), window(dates=dates)], 0, NOW)
    assert [(series.start, series.count) for series in plan.series] == [
        (at("2026-11-27T03:30"), 3660),
        (at("2026-12-23T03:30"), 2),
        (at("2026-12-31T03:30"), 1),
    ]


def test_instances_whose_windows_bring_machines_are_not_warm() -> None:
    """Loaded units would be put on the base machines at once."""
    alone = plan_of("web@%.service", 4, [window(at_least=12, machines=2)], 0, NOW)
    assert (alone.base, alone.warm, alone.most) == (4, 4, 12)
    both = plan_of("web@%.service", 4, [window(at_least=12, machines=2), window(at_least=7)], 0, NOW)
    assert (both.base, both.warm, both.most) == (4, 7, 12)


def test_a_plan_begins_with_the_window_that_is_open() -> None:
    """A deployment within a window does not forget it."""
    plan = plan_of("web@%.service", 4, [window()], 180, at("2026-11-27T04:00"))
    assert [plan.desired(at(f"2026-11-27T{time}")) for time in ("04:00", "04:29", "04:30")] == [12, 12, 4]


def test_a_window_that_starts_after_the_horizon_opens_before_it() -> None:
    """By its lead."""
    plan = plan_of("web@%.service", 4, [window()], 3600, NOW)
    assert plan.desired(plan.horizon - 60) == 12


def test_occurrences_longer_than_the_step_follow_one_another() -> None:
    """With the lead one is open until the next, and the last one ends as every other."""
    series = (Series(start=1000, step=100, count=3, length=90, at_least=5, machines=0, name="peak"),)
    plan = WindowPlan("web@%.service", 1, 5, 5, 20, 10**9, series)
    assert [plan.desired(now) for now in (979, 980, 1090, 1185, 1289, 1290, 1400, 10**8)] == [1, 5, 5, 5, 5, 1, 1, 1]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v1 ", "v2 "),
        ("web@%.service", "web@.service"),
        ("web@%.service", "web@%%.service"),
        ("web@%.service", 'web"@%.service'),
        ("web@%.service", f"{'w' * 255}@%.service"),
        ("base=4", "base=0"),
        ("base=4", "base=04"),
        ("base=4", "base=13"),
        ("base=4", "base=٤"),
        ("most=12", "most=101"),
        ("warm=12", "warm=13"),
        ("lead=180", "lead=700000"),
        ("horizon=", "horizon=-"),
        (":604800:", ":0:"),
        (":3600:", ":0:"),
        (":12:0:", ":13:0:"),
        (":12:0:", ":12:"),
        (":megaquery", ":mega query"),
        (":megaquery", f":{'m' * 41}"),
        (":megaquery", ":megaquery\n"),
        (":megaquery", f":megaquery{';' * 2**18}"),
    ],
)
def test_other_plans_are_rejected(old: str, new: str) -> None:
    """Every client of etcd can write any text."""
    text = plan_of("web@%.service", 4, [CHICAGO], 180, NOW).to_text()
    assert old in text
    with pytest.raises(Unreadable):
        WindowPlan.from_text(text.replace(old, new, 1))


@pytest.mark.parametrize("ready", [None, 1795747900])
def test_an_event_is_read_back_as_the_same_event(ready: int | None) -> None:
    """``-`` until all instances are in discovery."""
    event = WindowEvent(1795747806, 4, 12, 1795748000, "75d3f2e8" * 4, ready)
    text = event.to_text()
    assert WindowEvent.from_text(text) == event
    assert text.startswith(f"at=1795747806 from=4 to=12 due=1795748000 by={'75d3f2e8' * 4} ready=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "at=1 from=4 to=12 due=1 by=a",
        "at=01 from=4 to=12 due=1 by=a ready=-",
        "at=1 from=4 to=12 due=1 by= ready=-",
        "at=1 from=4 to=12 due=1 by=a\x1b ready=-",
        "at=1 from=4 to=1234 due=1 by=a ready=-",
        "at=1 from=4 to=12 due=1 by=a ready=- ",
        f"at=1 from=4 to=12 due=1 by={'a' * 65} ready=-",
        "at=123456789012 from=4 to=12 due=1 by=a ready=-",
    ],
)
def test_other_events_are_rejected(text: str) -> None:
    """Every client of etcd can write any text."""
    with pytest.raises(Unreadable):
        WindowEvent.from_text(text)
