"""What a deployment does about a task, from its journal. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleetcaptain.tasks.task_run import RunState, TaskRun

__all__ = ["Failed", "Finished", "Follow", "Next", "Start", "Superseded", "WaitFor", "decide", "new_lines"]


@dataclass(frozen=True)
class Finished:
    """The task ran successfully with this text: *run*. It does not run again."""

    run: TaskRun


@dataclass(frozen=True)
class Failed:
    """The run that this deployment started or followed ended without success."""

    run: TaskRun


@dataclass(frozen=True)
class Superseded:
    """Another deployment wants *run*, of another text, instead of the one that this deployment follows."""

    run: TaskRun


@dataclass(frozen=True)
class Start:
    """Want a new run, in place of *before*, which ended, or does not run yet."""

    before: TaskRun | None


@dataclass(frozen=True)
class Follow:
    """Wait for the end of *run*, which is of this text, by any deployment."""

    run: TaskRun


@dataclass(frozen=True)
class WaitFor:
    """Wait for the end of *run*, of another text: two runs of a task are never at once."""

    run: TaskRun


Next = Finished | Failed | Superseded | Start | Follow | WaitFor


def decide(last: TaskRun | None, result: TaskRun | None, unit_hash: str, followed: str) -> Next:
    """The next step for a task whose text has the SHA1 *unit_hash*.

    *last*: the journal, the last run of any text. *result*: the successful run of this text, if it is known.
    *followed*: the unit of the run that this deployment started or followed, or "". A failure that was there before
    this deployment is tried again; its own is reported.
    """
    if result is not None:
        return Finished(result)
    if last is None:
        return Start(None)
    if last.unit_hash != unit_hash:
        if last.state is RunState.RUNNING:
            return WaitFor(last)
        return Superseded(last) if followed else Start(last)
    if last.is_active:
        return Follow(last)
    ended = Finished(last) if last.state is RunState.DONE else Failed(last)
    return ended if followed or last.state is RunState.DONE else Start(last)


def new_lines(run: TaskRun, shown: int) -> tuple[str, ...]:
    """The lines of the output of *run* after the first *shown*; a line that says how many the journal does not have."""
    found = run.tail.splitlines()
    count = max(run.lines - shown, 0)
    if count > len(found):
        return (f"({count - len(found)} lines are in the unit's journal only)", *found)
    return tuple(found[len(found) - count :])
