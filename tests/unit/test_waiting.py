"""The one wait of the library, with time handed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.waiting import wait_until


def waited(*lines: str, timeout_sec: float = 30) -> tuple[list[str], float]:
    """What is reported while *lines* are pending, one a second and the last one for good, and the seconds passed."""
    pending: Iterator[str] = iter([*lines, *[lines[-1]] * 99])
    reports: list[str] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    wait_until(
        lambda: next(pending),
        timeout_sec,
        reports.append,
        lambda line: DeadlineExceeded(f"late: {line}"),
        pause_sec=1,
        clock=lambda: now[0],
        sleep=sleep,
    )
    return reports, now[0]


def test_a_wait_ends_when_nothing_is_pending() -> None:
    """Without a pause when that is so at once; each change is reported once."""
    assert waited("") == ([], 0)
    assert waited("m1, m2", "m1, m2", "m2", "") == (["m1, m2", "m2"], 3)


def test_a_wait_that_takes_too_long_raises_the_error_of_its_last_line() -> None:
    """And looks once more after the deadline has passed."""
    with pytest.raises(DeadlineExceeded, match="late: m2"):
        waited("m1", "m2", timeout_sec=10)
    assert waited(*["m1"] * 11, "", timeout_sec=10)[1] == 11
