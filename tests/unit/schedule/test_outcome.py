"""What was planned against what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.schedule.outcome import Outcome, Result, levels_of, outcomes
from fleetcaptain.schedule.window_event import WindowEvent
from tests.unit.schedule.example_schedule import EVENTS, NOW, deployed, schedule
from tests.unit.schedule.windows import at

DUE = at("2026-11-26T09:30:00")
OPENED, CLOSED, LATE, CLOSED_LATE = EVENTS


def results(*events: WindowEvent, now: int = NOW) -> list[tuple[str, int | None]]:
    """The result and margin of each outcome."""
    return [(one.result.value, one.margin_sec) for one in schedule(events, now).last]


def first(*events: WindowEvent, now: int = NOW) -> Outcome:
    """The first outcome: that of the opening of the megaquery on the 26th."""
    return schedule(events, now).last[0]


def test_each_change_has_its_event() -> None:
    """With the seconds before ready_by, negative if it was late, or after the planned end."""
    assert results(*EVENTS) == [("ready", 100), ("closed", 4), ("late", -35), ("closed", 1800)]
    assert [one.is_bad for one in schedule().last] == [False, False, True, False]
    assert [one.event for one in schedule().last] == list(EVENTS)


def test_the_order_of_events_does_not_matter() -> None:
    """etcd lists them by the name of their keys."""
    assert results(*reversed(EVENTS)) == results(*EVENTS)


def test_ready_at_the_very_second_is_in_time() -> None:
    """One second later is late."""
    assert first(replace(OPENED, ready=DUE)).result is Result.READY
    assert first(replace(OPENED, ready=DUE + 1)).result is Result.LATE


@pytest.mark.parametrize(
    ("now", "result"),
    [(DUE - 100, Result.OPENING), (DUE, Result.OPENING), (DUE + 1, Result.NOT_READY)],
)
def test_instances_that_are_not_ready(now: int, result: Result) -> None:
    """They start until ready_by, and are late after it."""
    assert first(replace(OPENED, ready=None), now=now).result is result


@pytest.mark.parametrize(("now", "result"), [(DUE, Result.OPENING), (DUE + 1, Result.MISSED)])
def test_a_window_that_no_agent_opens(now: int, result: Result) -> None:
    """It is missed when ready_by is over."""
    assert first(now=now).result is result


def test_what_was_never_opened_need_not_be_closed() -> None:
    """So a missed opening is one line."""
    assert results() == [("missed", None), ("missed", None)]


def test_a_closing_that_no_agent_does() -> None:
    """It is missed two minutes after the end of the window."""
    end = at("2026-11-26T10:30:00")
    assert results(OPENED, now=end + 120)[1:] == [("closing", None)]
    assert results(OPENED, now=end + 121)[1:] == [("missed", None)]


def test_a_window_that_is_opened_after_its_ready_by_is_late() -> None:
    """Its event belongs to it all the same."""
    late = replace(OPENED, at=DUE + 600, ready=DUE + 660)
    assert results(late, CLOSED)[:2] == [("late", -660), ("closed", 4)]


def test_a_deployment_inside_of_a_window_opens_it() -> None:
    """It is neither late nor missed; one before ready_by counts as any opening."""
    inside = deployed("2026-11-26T09:45:00", 4, 12)
    assert (first(inside).result, first(inside).event) == (Result.OPEN, inside)
    early = deployed("2026-11-26T09:28:00", 4, 12)
    assert (first(early).result, first(early).margin_sec) == (Result.READY, 120)


def test_instances_that_ran_before_need_no_opening() -> None:
    """As when the closing before was missed."""
    more = deployed("2026-11-26T08:30:00", 4, 12)
    assert results(more, now=DUE) == [("open", None)]
    assert results(more, now=DUE + 7200) == [("open", None), ("missed", None)]


def test_an_event_of_an_earlier_plan_is_shown() -> None:
    """The plan in etcd is that of the last deployment."""
    earlier = WindowEvent(at("2026-11-26T13:00:00"), 4, 6, at("2026-11-26T13:02:00"), "m1", at("2026-11-26T13:01:00"))
    (found,) = [one for one in schedule((*EVENTS, earlier)).last if one.event == earlier]
    assert (found.change.windows, found.result, found.margin_sec) == ((), Result.READY, 60)


def test_a_change_for_no_window_is_left_out() -> None:
    """An agent that finds another number of instances in the plan makes it so, for no ready_by."""
    more = WindowEvent(at("2026-11-26T13:00:00"), 4, 5, 0, "m1", at("2026-11-26T13:00:00"))
    assert results(*EVENTS, more) == results(*EVENTS)
    fewer = deployed("2026-11-26T13:00:00", 5, 4)
    assert results(*EVENTS, fewer) == results(*EVENTS)
    closing = WindowEvent(at("2026-11-26T13:00:00"), 6, 4, 0, "m1")
    assert results(*EVENTS, closing) == [*results(*EVENTS)[:2], ("closed", 0), *results(*EVENTS)[2:]]


def test_the_levels_are_those_of_instances_that_were_ready() -> None:
    """An opening counts from when it was ready, a closing at once; one that is not ready does not."""
    start = NOW - 86400
    steps = [(OPENED.ready, 12), (CLOSED.at, 4), (LATE.ready, 8), (CLOSED_LATE.at, 4)]
    assert list(levels_of(EVENTS, start, NOW, 4)) == [(start, 4), *steps]
    assert levels_of((replace(OPENED, ready=None),), start, NOW, 7) == ((start, 4),)
    assert levels_of((), start, NOW, 7) == ((start, 7),)
    assert levels_of(EVENTS, OPENED.at, NOW, 7)[0] == (OPENED.at, 12)


def test_a_service_without_a_planned_change_has_none() -> None:
    """As one that was deployed today."""
    assert outcomes([], [], 0, 86400, service="web", base=2, timezone="UTC") == ()
