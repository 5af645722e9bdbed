"""Ends the program: successfully only if Pulumi has run all of it, otherwise with an error."""

from __future__ import annotations

import asyncio
import atexit
import os
import posix
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from components.engine import diagnostics

__all__ = ["abort", "refuse_early_end"]

# With this status the language host adds no error of its own to those that were logged.
_ERRORS_LOGGED = 32
_FAILED = 1
# Functions that end a process at once, without its exit handlers. All others of `os` call these.
_AT_ONCE = ("_exit", "execv", "execve")
_EARLY = (
    "The program ended before it had declared all resources, and Pulumi deletes resources that are not declared. The "
    "update fails instead: nothing is deleted. Remove the call that ends the program (such as `sys.exit` or "
    "`os._exit`) from the Fleetfile and the modules that it imports, then run the same command again."
)


def abort(error: Exception) -> NoReturn:
    """Log only *error* and end the program before it declares another resource."""
    diagnostics.error(str(error))
    atexit.unregister(_fail_if_early)
    sys.exit(_ERRORS_LOGGED)


def refuse_early_end() -> None:
    """Let this process succeed only if Pulumi's run of the program, the task that calls this, succeeded: then all
    resources are declared. If a program succeeds and declares nothing, Pulumi deletes everything.

    From now on ``os._exit`` and ``os.exec...`` raise SystemExit; in child processes they are unchanged. An exit outside
    of Python, such as a C library's ``_exit(0)``, cannot be prevented.
    """
    process = os.getpid()
    atexit.register(_fail_if_early, asyncio.current_task(), process, os._exit)
    for name in _AT_ONCE:
        raising = _raising(f"os.{name}", getattr(os, name), process)
        for module in (os, posix):
            setattr(module, name, raising)


def _fail_if_early(task: asyncio.Task[Any] | None, process: int, end: Callable[[int], NoReturn]) -> None:
    if os.getpid() == process and not _has_ended(task):
        diagnostics.last(f"{_EARLY}{_place_of(task)}")
        end(_FAILED)


def _has_ended(task: asyncio.Task[Any] | None) -> bool:
    """Whether *task* finished, or raised an error that fails the update. SystemExit does not: its code may be 0."""
    if task is None or not task.done():
        return False
    return task.cancelled() or not isinstance(task.exception(), SystemExit)


def _place_of(task: asyncio.Task[Any] | None) -> str:
    """A sentence with the place where *task* ended; empty if something else ended the process."""
    error = task.exception() if task is not None and task.done() and not task.cancelled() else None
    stack = traceback.extract_tb(error.__traceback__ if error is not None else None)
    frames = [frame for frame in stack if frame.filename not in (__file__, os.__file__, "<frozen os>")]
    return f" It ended at {frames[-1].filename}:{frames[-1].lineno} ({error!r})." if frames else ""


def _raising(name: str, real: Callable[..., NoReturn], process: int) -> Callable[..., NoReturn]:
    def end(*arguments: Any) -> NoReturn:
        if os.getpid() != process:
            real(*arguments)
        raise SystemExit(name)

    return end
