"""Limits follow each other where they are not given; those that contradict each other are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.fleetfile.time_limits import LONGEST_SEC, followed
from fleetcaptain.fleetfile.validation_error import ValidationError
from fleetcaptain.fleetfile.values import BlueGreen, Rolling
from tests.unit.fleetfile.written import mistakes, service


@pytest.mark.parametrize(
    ("arguments", "start", "healthy", "progress"),
    [
        ("", 300, 310, 600),
        ("start_sec=900", 900, 910, 920),
        ("stop_sec=700", 300, 1000, 1010),
        ("rollout=Rolling(min_healthy_sec=700)", 300, 310, 1010),
        ("rollout=Rolling(healthy_deadline_sec=900)", 900, 900, 910),
        ("rollout=BlueGreen(healthy_deadline_sec=900, min_healthy_sec=0)", 900, 900, 900),
        ("rollout=BlueGreen(min_healthy_sec=700, keep_old_sec=3600)", 300, 310, 1010),
        ("rollout=Rolling(healthy_deadline_sec=15)", 300, 15, 600),
        ("rollout=Rolling(progress_deadline_sec=120)", 300, 310, 120),
        ("start_sec=60, rollout=Rolling(healthy_deadline_sec=30, progress_deadline_sec=40)", 60, 30, 40),
        ("start_sec=900, global_unit=True", 900, 910, 920),
        ("start_sec=900, instances=True", 900, 910, 920),
    ],
)
def test_a_limit_follows_the_others(arguments: str, start: int, healthy: int, progress: int, tmp_path: Path) -> None:
    """What is given is kept as it is."""
    spec = service(tmp_path, arguments)
    found = (spec.start_sec, spec.rollout.healthy_deadline_sec, spec.rollout.progress_deadline_sec)
    assert found == (start, healthy, progress)


_WEB = 'ports=[80], alive=Http("/")'


@pytest.mark.parametrize(
    ("arguments", "bake", "progress"),
    [
        ("ports=[80]", 10, 600),
        (_WEB, 60, 600),
        (f"{_WEB}, instances=True", 60, 600),
        (f"{_WEB}, rollout=Rolling(max_parallel=2)", 60, 600),
        (f"{_WEB}, rollout=Rolling(min_healthy_sec=10)", 10, 600),
        (f"{_WEB}, rollout=BlueGreen(min_healthy_sec=0)", 0, 600),
        ("ports=[80], alive=Alive(Tcp(), every_sec=5, failures=1, grace_sec=0)", 10, 600),
        ("ports=[80], alive=Alive(Tcp(), every_sec=5, failures=2, grace_sec=0)", 15, 600),
        ("ports=[80], alive=Alive(Tcp(), every_sec=60, failures=4, grace_sec=300)", 490, 800),
        (f"ports=[80], alive=Alive(Tcp(), every_sec=3600, failures=100, grace_sec={LONGEST_SEC})", LONGEST_SEC, 173110),
    ],
)
def test_the_bake_time_is_long_enough_for_the_alive_check(
    arguments: str, bake: int, progress: int, tmp_path: Path
) -> None:
    """If none is given: a rollout has to see an instance whose check fails from the start."""
    rollout = service(tmp_path, arguments).rollout
    assert (rollout.min_healthy_sec, rollout.progress_deadline_sec) == (bake, progress)


@pytest.mark.parametrize(
    ("rollout", "numbers"),
    [
        ("Rolling(min_healthy_sec=700, progress_deadline_sec=600)", ("=600", "=700", "=1000")),
        ("Rolling(min_healthy_sec=600, progress_deadline_sec=600)", ("=600", "=900")),
        ("BlueGreen(min_healthy_sec=60, progress_deadline_sec=60)", ("=60", "=360")),
        ("Rolling(healthy_deadline_sec=900, progress_deadline_sec=600)", ("=600", "=900", "=10", "=910")),
        ("BlueGreen(healthy_deadline_sec=900, progress_deadline_sec=600)", ("=600", "=900", "=10", "=910")),
        ('Rolling(progress_deadline_sec=60), alive=Http("/")', ("=60", "=360")),
    ],
)
def test_times_that_cannot_be_met_are_refused_with_all_numbers(
    rollout: str, numbers: tuple[str, ...], tmp_path: Path
) -> None:
    """In one sentence, with what to write."""
    (problem,) = mistakes(tmp_path, f'Service("web", ports=[80], rollout={rollout})')
    assert "rollout: progress_deadline_sec=" in problem
    assert "is too short" in problem
    assert [number for number in numbers if number not in problem] == []


@pytest.mark.parametrize(
    "arguments",
    [
        f"start_sec={LONGEST_SEC + 1}",
        f"stop_sec={10**30}",
        f"rollout=BlueGreen(keep_old_sec={LONGEST_SEC + 1})",
        "rollout=Rolling(progress_deadline_sec=True)",
        "rollout=Rolling(auto_revert=None)",
    ],
)
def test_a_time_that_no_record_may_say_is_refused(arguments: str, tmp_path: Path) -> None:
    """systemd would ignore a larger one; and what is no time at all."""
    (problem,) = mistakes(tmp_path, f'Service("web", {arguments})')
    assert "must be" in problem


TIMES = st.integers(1, LONGEST_SEC)
DEADLINES = st.none() | TIMES


@given(DEADLINES, TIMES, st.tuples(TIMES, DEADLINES, DEADLINES), st.sampled_from([Rolling, BlueGreen]))
def test_no_limit_cuts_another_that_is_not_given(
    start: int | None, stop: int, times: tuple[int, int | None, int | None], kind: type[Rolling | BlueGreen]
) -> None:
    """Whatever is given; and all fit into the record of a release."""
    stays, healthy, progress = times
    given_rollout = kind(min_healthy_sec=stays, healthy_deadline_sec=healthy, progress_deadline_sec=progress)
    try:
        start_sec, found = followed(start, stop, given_rollout, None)
    except ValidationError:
        return
    healthy_sec, progress_sec = found.healthy_deadline_sec or 0, found.progress_deadline_sec or 0
    assert progress_sec > stays
    assert start is not None or start_sec >= (healthy or 0)
    assert healthy is not None or healthy_sec == start_sec + stop
    assert progress is not None or progress_sec >= healthy_sec + stays
    assert max(start_sec, healthy_sec, progress_sec) <= 7 * 24 * 3600
