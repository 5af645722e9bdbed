"""What a deployment does about a task, for each state of its journal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.tasks.decision import Failed, Finished, Follow, Next, Start, Superseded, WaitFor, decide, new_lines
from fleetcaptain.tasks.task_run import RunState, TaskRun, wanted_run
from fleetcaptain.untrusted import Unreadable

OURS, THEIRS = "a" * 40, "b" * 40
WANTED = wanted_run("migrate", OURS, "0badc0de", "jo@host", "2026-01-02T03:04:05+00:00")
ALL = {state: replace(WANTED, state=state) for state in RunState}
OTHERS = {state: replace(run, unit_hash=THEIRS) for state, run in ALL.items()}


@pytest.mark.parametrize("followed", ["", WANTED.unit])
@pytest.mark.parametrize("last", [None, *ALL.values(), *OTHERS.values()])
def test_a_success_is_never_run_again(last: TaskRun | None, followed: str) -> None:
    """Whatever the last run is."""
    assert decide(last, ALL[RunState.DONE], OURS, followed) == Finished(ALL[RunState.DONE])


@pytest.mark.parametrize(
    ("last", "followed", "expected"),
    [
        (None, "", Start(None)),
        # another key was there when this deployment wrote its own, or an operator removed it
        (None, WANTED.unit, Start(None)),
        (ALL[RunState.WANTED], "", Follow(ALL[RunState.WANTED])),
        (ALL[RunState.RUNNING], "", Follow(ALL[RunState.RUNNING])),
        (ALL[RunState.RUNNING], WANTED.unit, Follow(ALL[RunState.RUNNING])),
        (ALL[RunState.DONE], "", Finished(ALL[RunState.DONE])),
        (ALL[RunState.DONE], WANTED.unit, Finished(ALL[RunState.DONE])),
        # a failure of before is tried again, the own one is reported
        (ALL[RunState.FAILED], "", Start(ALL[RunState.FAILED])),
        (ALL[RunState.FAILED], WANTED.unit, Failed(ALL[RunState.FAILED])),
        (ALL[RunState.UNKNOWN], "", Start(ALL[RunState.UNKNOWN])),
        (ALL[RunState.UNKNOWN], WANTED.unit, Failed(ALL[RunState.UNKNOWN])),
        # of another text: two are never at once, and the newest that has not begun yet wins
        (OTHERS[RunState.WANTED], "", Start(OTHERS[RunState.WANTED])),
        (OTHERS[RunState.WANTED], WANTED.unit, Superseded(OTHERS[RunState.WANTED])),
        (OTHERS[RunState.RUNNING], "", WaitFor(OTHERS[RunState.RUNNING])),
        (OTHERS[RunState.DONE], "", Start(OTHERS[RunState.DONE])),
        (OTHERS[RunState.FAILED], "", Start(OTHERS[RunState.FAILED])),
    ],
)
def test_the_next_step(last: TaskRun | None, followed: str, expected: Next) -> None:
    """By the last run, and whether this deployment started or followed one."""
    assert decide(last, None, OURS, followed) == expected


@pytest.mark.parametrize("state", RunState)
def test_a_run_is_written_as_it_is_read(state: RunState) -> None:
    """Also with a name that JSON escapes."""
    run = replace(WANTED, state=state, who='j"\\é@host')
    if state is not RunState.WANTED:
        run = replace(run, machine="machine-a", lines=3, tail='a "b"\né\n')
    if not run.is_active:
        run = replace(run, reason="exited", status=3, until="2026-01-02T03:04:06Z")
    assert TaskRun.from_json(run.to_json()) == run


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"running"', '"nosuch"'),
        ('"output":""', '"output":"*"'),
        ('"lines":0', '"lines":-1'),
        ('"unit":"m', '"unit":"/m'),
        ("{", ""),
        ('"content":', '"contents":'),
    ],
)
def test_any_other_value_is_unreadable(old: str, new: str) -> None:
    """Nothing is decided from a part of it."""
    text = ALL[RunState.RUNNING].to_json()
    assert old in text
    with pytest.raises(Unreadable):
        TaskRun.from_json(text.replace(old, new, 1))


def test_each_line_of_the_output_is_new_once() -> None:
    """The journal has the last ones; how many more there were is said."""
    run = replace(ALL[RunState.RUNNING], lines=10, tail="seven\neight\nnine\nten\n")
    assert new_lines(run, 8) == ("nine", "ten")
    assert new_lines(run, 10) == ()
    assert new_lines(run, 6) == ("seven", "eight", "nine", "ten")
    assert new_lines(run, 2) == ("(4 lines are in the unit's journal only)", "seven", "eight", "nine", "ten")
