"""A rollout under way in a process of its own, so that it can be killed at a chosen step."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.stack import Result, Stack
from tests.programs import end_session

__all__ = ["Running", "running"]


class Running:
    """A ``pulumi up`` that was started."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._said = ""

    def until(self, pattern: str) -> None:
        """Return when it says a line that *pattern* fits."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said += line
            if re.search(pattern, line):
                return
        raise AssertionError(f"it ended without {pattern!r}:\n{self._said}")

    def kill(self, victim: str) -> None:
        """``kill -9`` of the *pulumi* itself, or of the *provider* that rolls."""
        pids = [self._process.pid] if victim == "pulumi" else list(_providers(self._process.pid))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def interrupt(self) -> None:
        """A first ^C."""
        os.kill(self._process.pid, signal.SIGINT)

    def end(self) -> Result:
        """Wait for its end."""
        output, _ = self._process.communicate(timeout=600)
        return Result(self._process.returncode, self._said + output)


@contextmanager
def running(stack: Stack) -> Iterator[Running]:
    """A ``pulumi up`` of *stack*; nothing of it is left when the block ends."""
    with stack.start("up", "--yes", "--skip-preview") as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
    end_session(process.pid)


def _providers(pulumi: int) -> Iterator[int]:
    for pid in _children(pulumi):
        if "components.host.provider_service" in _command(pid):
            yield pid


def _children(pid: int) -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            yield int(path.name)
            yield from _children(int(path.name))


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
