"""Steps side by side: each after what it needs, builds a few at a time, every failure kept."""

from __future__ import annotations

import threading

from tools.install_plan import Step, Verb
from tools.schedule import carry_out, line
from tools.tool_failure import ToolFailed


def test_a_step_runs_after_what_it_needs() -> None:
    """However many could run at once."""
    done: list[str] = []

    def work(step: Step) -> str:
        done.append(step.name)
        return ""

    carry_out(
        [Step(Verb.START, "engine"), Step(Verb.FETCH, "image", after=("engine",))], work, parallel=4, report=_mute
    )
    assert done == ["engine", "image"]


def test_what_needs_a_failed_step_is_not_tried_and_the_rest_goes_on() -> None:
    """All that can be had is had in one run, and every failure is told."""

    def work(step: Step) -> str:
        if step.name == "go":
            raise ToolFailed("no compiler", by_hand="install it")
        return "fine"

    outcomes = carry_out(
        [Step(Verb.LACK, "go"), Step(Verb.BUILD, "etcd", after=("go",)), Step(Verb.INSTALL, ".venv")],
        work,
        parallel=1,
        report=_mute,
    )
    assert [bool(outcome.error) for outcome in outcomes] == [True, True, False]
    assert "install it" in outcomes[0].error
    assert outcomes[1].error == "skipped, because it needs go"
    assert outcomes[2].detail == "fine"


def test_so_many_builds_run_side_by_side_and_no_more() -> None:
    """Two wait for each other; a third one is never there with them."""
    together, most, guard = threading.Barrier(2, timeout=120), [0, 0], threading.Lock()

    def work(_step: Step) -> str:
        with guard:
            most[0] += 1
            most[1] = max(most)
        together.wait()
        with guard:
            most[0] -= 1
        return ""

    carry_out([Step(Verb.BUILD, str(number)) for number in range(4)], work, parallel=2, report=_mute)
    assert most[1] == 2


def test_each_step_is_reported_with_what_and_why_and_how_long() -> None:
    """As soon as it ends."""
    told: list[str] = []
    ticks = iter([1.0, 3.5])
    carry_out(
        [Step(Verb.BUILD, "etcd", "3.5.21", "machines run it")],
        lambda _step: "",
        parallel=1,
        report=told.append,
        clock=lambda: next(ticks),
    )
    assert told == ["build   etcd 3.5.21 (machines run it)  2.5 s"]


def test_a_failure_is_reported_with_its_lines_indented() -> None:
    """So that one sees which step they belong to."""

    def work(_step: Step) -> str:
        raise ToolFailed("it broke", by_hand="mend it")

    (outcome,) = carry_out([Step(Verb.BUILD, "etcd")], work, parallel=1, report=_mute)
    first, *rest = line(outcome).splitlines()
    assert first.startswith("failed  etcd")
    assert rest
    assert all(text.startswith("        ") for text in rest)


def _mute(_line: str) -> None:
    pass
