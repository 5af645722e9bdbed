"""When a periodic task runs next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fleetcaptain.fleetfile.calendar import Calendar
from fleetcaptain.tasks.next_run import next_run

NOW = datetime(2026, 11, 26, 19, 53, 20, tzinfo=UTC)  # a Thursday


# As `systemd-analyze calendar` says.
@pytest.mark.parametrize(
    ("every", "moment"),
    [
        ("Mon..Fri 03:30 America/Chicago", "2026-11-27T09:30:00+00:00"),
        ("weekly America/Chicago", "2026-11-30T06:00:00+00:00"),
        ("*:*:0/10", "2026-11-26T19:53:30+00:00"),
        ("*:0/10", "2026-11-26T20:00:00+00:00"),
        ("19:53:20", "2026-11-27T19:53:20+00:00"),
        ("*-*-1,15 4:00", "2026-12-01T04:00:00+00:00"),
        ("Mon *-*-1..7 3:30", "2026-12-07T03:30:00+00:00"),
        ("Sat *-2-29", "2048-02-29T00:00:00+00:00"),
        ("2026-11-26 19:00", None),
    ],
)
def test_the_next_moment(every: str, moment: str | None) -> None:
    """The first one after now, by the clock of the zone."""
    found = next_run(Calendar.parse(every), NOW)
    assert (found.isoformat() if found else None) == moment


def test_a_time_that_summer_time_leaves_out_is_skipped() -> None:
    """As systemd does; one that comes twice counts once."""
    spring, autumn = datetime(2027, 3, 13, 12, tzinfo=UTC), datetime(2027, 11, 7, 6, 30, tzinfo=UTC)
    first = next_run(Calendar.parse("02:30 America/Chicago"), spring)
    assert first == datetime(2027, 3, 15, 7, 30, tzinfo=UTC)
    # There it begins by half an hour.
    gap = next_run(Calendar.parse("02:15 Australia/Lord_Howe"), datetime(2027, 10, 2, 12, tzinfo=UTC))
    assert gap == datetime(2027, 10, 3, 15, 15, tzinfo=UTC)
    second = next_run(Calendar.parse("01:30 America/Chicago"), autumn)
    assert second == datetime(2027, 11, 8, 7, 30, tzinfo=UTC)
