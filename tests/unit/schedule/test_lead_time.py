"""How long before its ``ready_by`` a window opens, by records of starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from fleetcaptain.history.rollout_record import InstanceRecord, RolloutRecord
from fleetcaptain.schedule.lead_time import LeadTime, format_lead, lead_time, unmeetable
from fleetcaptain.schedule.window_event import DEPLOYMENT, WindowEvent
from tests.unit.history.example_records import DONE, FAILED, KILLED
from tests.unit.schedule.windows import at, window

States = tuple[tuple[float, str], ...]


def record(*instances: States, since: float = 0, **more: object) -> RolloutRecord:
    """A rollout that succeeded, with the states of its *instances*."""
    found = {f"web@{number}.service": InstanceRecord("", states) for number, states in enumerate(instances, 1)}
    began = datetime.fromtimestamp(since, UTC).isoformat()
    return replace(DONE, since=began, instances=found, **more)  # type: ignore[arg-type]


def started(*seconds: float, since: float = 0, **more: object) -> RolloutRecord:
    """A rollout whose instances took so many *seconds* to start."""
    return record(*(((0.0, "starting"), (one, "ready")) for one in seconds), since=since, **more)


def opened(moment: int, ready: int | None, by: str = "m1", after: int = 12) -> WindowEvent:
    """An opening from 4 instances."""
    return WindowEvent(moment, 4, after, moment + 180, by, ready)


def test_a_start_ends_when_it_is_ready_and_the_stop_before_it_is_no_part_of_it() -> None:
    """`DONE` has one of 6 s (stopped at 4, ready at 10) and one of 10 s (stopped at 20, ready at 30)."""
    assert lead_time([DONE], []) == LeadTime(8.0, 10.0, 2, 130)


@pytest.mark.parametrize(
    ("states", "starts"),
    [
        (((0.0, "ready"), (10.0, "done")), 0),
        (((0.0, "old"), (1.0, "draining"), (2.0, "stopping"), (9.0, "starting"), (12.0, "ready")), 1),
        (((0.0, "starting"), (5.0, "failed"), (6.0, "starting"), (9.0, "ready")), 1),
        (((0.0, "stopped"), (2.0, "starting"), (5.0, "failed")), 0),
        (((0.0, "stopped"), (3.0, "ready"), (5.0, "stopped"), (8.0, "done")), 2),
        (((0.0, "stopped"), (4.0, "removed")), 0),
    ],
    ids=["already ready", "replaced", "after a failure", "failed", "twice", "removed"],
)
def test_only_starts_that_succeeded_count(states: States, starts: int) -> None:
    """Each of them took 3 s."""
    found = lead_time([record(states)], [])
    assert (found.starts, found.start_p95_sec) == ((starts, 3.0) if starts else (0, 60.0))


def test_rollouts_that_failed_say_nothing() -> None:
    """Neither do those whose time is not known."""
    odd = replace(DONE, since="yesterday")
    assert lead_time([replace(DONE, state="failed"), FAILED, KILLED, odd], []) == LeadTime(60.0, 60.0, 0, 180)


def test_the_newest_fifty_starts_count() -> None:
    """Whatever the order of the records."""
    old, new = started(*[300.0] * 40, since=1000), started(*[20.0] * 50, since=2000)
    for records in ([old, new], [new, old]):
        assert lead_time(records, []) == LeadTime(20.0, 20.0, 50, 140)
    newest = opened(3000, 3400)
    assert lead_time([old, new], [newest]).starts == 50


def test_the_percentile_is_the_95th() -> None:
    """One slow start of 20 does not count, two do; the lead is rounded up to 10 s."""
    assert lead_time([started(*[11.0] * 19, 99.0)], []) == LeadTime(11.0, 11.0, 20, 140)
    assert lead_time([started(*[11.0] * 18, 98.5, 99.0)], []) == LeadTime(11.0, 98.5, 20, 220)


def test_an_opening_is_not_outnumbered_by_starts_of_rollouts() -> None:
    """It starts eight instances at once, so it may take longer than each of them."""
    many = [started(*[10.0] * 12, since=moment) for moment in range(3)]
    assert lead_time(many, [opened(100, 190)]) == LeadTime(10.0, 90.0, 37, 210)
    assert lead_time(many, [opened(100, 105)]).start_p95_sec == 10


def test_only_openings_by_agents_that_ended_count() -> None:
    """A deployment writes its event when all is ready, a closing starts nothing, and without ready_by it is none."""
    events = [opened(100, None), opened(100, 700, DEPLOYMENT), opened(100, 700, after=2)]
    events.append(replace(opened(100, 100), due=0))
    assert lead_time([], events).starts == 0


def test_a_first_version_counts_only_while_there_is_nothing_else() -> None:
    """Its starts also pull the image."""
    first = started(200.0, before=())
    assert lead_time([first], []) == LeadTime(200.0, 200.0, 1, 320)
    assert lead_time([first, started(5.0)], []).start_p95_sec == 5
    assert lead_time([first], [opened(100, 107)]).start_p95_sec == 7


def test_the_lead_in_words() -> None:
    """With all numbers that it has."""
    assert format_lead("web", lead_time([DONE], [])) == (
        "web: windows open 130 s before ready_by: 2 starts took 8 s (median) and 10 s (95th percentile); agents act "
        "within 120 s"
    )
    assert format_lead("web", lead_time([], [])) == (
        "web: windows open 180 s before ready_by: no start is recorded yet, 60 s are assumed; agents act within 120 s"
    )


NOW = at("2026-11-27T03:27:00")
LEAD = LeadTime(60.0, 60.0, 0, 180)


def test_a_lead_of_more_than_six_hours_is_an_error() -> None:
    """With the numbers."""
    lead = lead_time([started(6 * 3600 - 120.0)], [])
    assert unmeetable("web", [window()], lead, NOW).errors == ()
    lead = lead_time([started(6 * 3600 - 119.0)], [])
    assert unmeetable("web", [window(), window(name="xmas")], lead, NOW).errors == (
        "web: cannot be ready for peak, xmas: it would have to open 21610 s before ready_by, and the limit is 21600 s "
        "(6 h): 1 start took 21481 s (median) and 21481 s (95th percentile). Find the slow starts with `captain "
        "timeline`, and make the service start faster.",
    )


@pytest.mark.parametrize(
    ("now", "late"),
    [("03:26:59", 0), ("03:27:01", 1), ("03:29:30", 150), ("03:30:00", 0), ("03:45:00", 0)],
)
def test_a_first_opening_that_is_too_near_is_a_warning(now: str, late: int) -> None:
    """ready_by is 03:30. An occurrence that is open is the deployment's own to start."""
    found = unmeetable("web", [window()], LEAD, at(f"2026-11-27T{now}"))
    assert found.errors == ()
    assert len(found.warnings) == bool(late)
    if late:
        assert f"the first one will be up to {late} s late. " in found.warnings[0]


def test_the_warning_of_a_near_opening() -> None:
    """In the zone of the window."""
    spec = window(timezone="America/Chicago", ready_by=21 * 60 + 28)
    assert unmeetable("web", [spec], LEAD, NOW).warnings == (
        "web: the window peak must be ready at 2026-11-26 21:28 CST, in 60 s, and has to open 180 s before: the first "
        "one will be up to 120 s late. To be on time, deploy at least 180 s before ready_by.",
    )


def test_a_window_that_is_over_for_good_is_a_warning() -> None:
    """A deployment years later must not fail for it."""
    past = window(name="xmas", dates=(date(2025, 12, 24),))
    assert unmeetable("web", [past, window(dates=(date(2026, 12, 24),))], LEAD, NOW).warnings == (
        "web: the window xmas does not open any more: all its dates are past. Remove it from the Fleetfile.",
    )


def test_times_in_the_wrong_order_are_a_warning() -> None:
    """Over midnight a window may well be."""
    assert unmeetable("web", [window(ready_by=22 * 60, until=6 * 60)], LEAD, NOW).warnings == ()
    (warning,) = unmeetable("web", [window(ready_by=346, until=345)], LEAD, NOW).warnings
    assert "is open from 05:46 to 05:45 of the next day" in warning


def test_a_date_after_the_end_of_the_plan_is_not_past() -> None:
    """Most likely its year is a mistake."""
    far = window(name="xmas", dates=(date(2025, 12, 24), date(2990, 12, 24)))
    assert unmeetable("web", [far], LEAD, NOW).warnings == (
        "web: the window xmas is not planned yet: its next date, 2990-12-24, is more than ten years ahead. Check the "
        "year.",
    )


def test_a_lead_longer_than_the_pause_is_no_mistake() -> None:
    """The window stays open."""
    spec = window(ready_by=210, until=208)
    found = unmeetable("web", [spec], LEAD, NOW - 60)
    assert found.errors == ()
    assert not any("late" in warning for warning in found.warnings)
