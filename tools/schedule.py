"""Runs steps in parallel: a few builds at a time, other steps as soon as their needs are done. Keeps every failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tools.install_plan import Step, Verb
from tools.shell import stop_all
from tools.tool_failure import ToolFailed

__all__ = ["Outcome", "carry_out", "line"]


@dataclass(frozen=True)
class Outcome:
    """How *step* ended after *seconds*: *detail* is its result, *error* the reason of a failure (empty: done)."""

    step: Step
    seconds: float
    detail: str = ""
    error: str = ""


def line(outcome: Outcome) -> str:
    """An outcome in one line: what, why, how long; an error's own lines follow, indented."""
    step = outcome.step
    verb = "failed" if outcome.error else str(step.verb)
    what = f"{verb:<8}{step.name} {step.version}".rstrip() + f" ({outcome.detail or step.why})"
    if step.verb not in (Verb.USE, Verb.LACK):
        what += f"  {outcome.seconds:.1f} s"
    return "\n".join([what, *(f"        {text}" for text in outcome.error.splitlines())])


def carry_out(
    steps: Sequence[Step],
    work: Callable[[Step], str],
    *,
    parallel: int,
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Outcome, ...]:
    """Do *work* for each step, *parallel* builds at a time and in their order; each outcome is given to *report*.

    A step whose need failed is skipped with a message.
    """
    outcomes: dict[str, Future[Outcome]] = {}
    with ThreadPoolExecutor(parallel) as builds, ThreadPoolExecutor(max(len(steps), 1)) as others:
        for step in steps:
            lane = builds if step.verb is Verb.BUILD else others
            needs = {name: outcomes[name] for name in step.after}
            outcomes[step.name] = lane.submit(_one, step, needs, work, report, clock)
        try:
            return tuple(future.result() for future in outcomes.values())
        except BaseException:
            for lane in (builds, others):
                lane.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise


def _one(
    step: Step,
    needs: Mapping[str, Future[Outcome]],
    work: Callable[[Step], str],
    report: Callable[[str], None],
    clock: Callable[[], float],
) -> Outcome:
    failed = [name for name, need in needs.items() if need.result().error]
    began = clock()
    if failed:
        outcome = Outcome(step, 0, error=f"skipped, because it needs {' and '.join(failed)}")
    else:
        try:
            outcome = Outcome(step, 0, detail=work(step))
        except (ToolFailed, OSError) as error:
            outcome = Outcome(step, 0, error=str(error))
    outcome = Outcome(step, clock() - began, outcome.detail, outcome.error)
    report(line(outcome))
    return outcome
