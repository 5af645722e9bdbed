"""What a deployment says about the run of a task. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleetcaptain.printable import excerpt
from fleetcaptain.tasks.decision import new_lines
from fleetcaptain.tasks.task_run import RunState, TaskRun

__all__ = ["Output", "ending", "failure"]

_LINES = 20
_REASONS = {
    "timeout": "it took longer than its timeout_sec",
    "pull": "the image could not be pulled",
    "stopped": "systemd stopped it before its end: its unit was removed, or the machine shut down",
    "alone": "its machine had no connection to etcd for two minutes, and stopped it",
    "superseded": "another entry of its journal replaced it, and its machine stopped it",
    "withdrawn": "the deployment that wanted it took it back before it began",
}


class Output:
    """Reports the output of the runs of a task as it grows: each line once."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._unit, self._shown = "", 0

    def show(self, run: TaskRun) -> None:
        """Report the lines of *run* that were not reported yet."""
        if run.unit != self._unit:
            self._unit, self._shown = run.unit, 0
        for line in excerpt(new_lines(run, self._shown), _LINES):
            self._report(line)
        self._shown = max(self._shown, run.lines)


def ending(run: TaskRun) -> str:
    """Why *run* ended without success."""
    return _REASONS.get(run.reason, f"its command ended with exit code {run.status}")


def failure(task: str, run: TaskRun, machine: str) -> str:
    """The error for *run* of *task*, which ended without success on *machine*, an address."""
    tail = excerpt(run.tail.splitlines(), _LINES)
    if run.state is RunState.UNKNOWN:
        what = (
            f"The result of the task {task} is unknown: its machine {machine} ended, or was cut off, while it ran. "
            "It may have done a part of its work. No service that comes after it was changed."
        )
        advice = f"Check what it did. `pulumi up` runs {task} again."
    else:
        what = f"The task {task} failed on {machine}: {ending(run)}. No service that comes after it was changed."
        advice = f"Correct the cause, then run `pulumi up`: it runs {task} again."
    return "\n".join([what, *_listed(tail), advice])


def _listed(tail: Sequence[str]) -> list[str]:
    return ["Its last lines:", *(f"  {line}" for line in tail)] if tail else ["It wrote no output."]
