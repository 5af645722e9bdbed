"""Runs programs with their output in a log, and stops them when this program is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.tool_failure import ToolFailed

__all__ = ["answer", "run", "stop_all"]

_running: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()


def run(
    argv: Sequence[str],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
    by_hand: str = "",
) -> None:
    """Run *argv* with its output added to *log*; *env* is added to this process's. Raises ToolFailed, with *by_hand*,
    if it cannot be started, exits with a status other than 0, or takes longer than *timeout* seconds."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        output.write(f"$ {' '.join(argv)}\n".encode())
        output.flush()
        try:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolFailed(f"{argv[0]} could not be started: {error}", by_hand=by_hand) from error
        with _guard:
            _running.add(process)
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ToolFailed(f"{argv[0]} took longer than {timeout:g} s", log=log, by_hand=by_hand) from None
        finally:
            _stop(process)
            with _guard:
                _running.discard(process)
    if status != 0:
        raise ToolFailed(f"{argv[0]} exited with status {status}", log=log, by_hand=by_hand)


def answer(argv: Sequence[str], *, cwd: Path | None = None, timeout: float = 20) -> tuple[bool, str]:
    """Whether *argv* exited with status 0 within *timeout* seconds, and its output or its errors."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return (True, done.stdout.strip()) if done.returncode == 0 else (False, (done.stderr or done.stdout).strip())


def stop_all() -> None:
    """Stop every program that `run` is running."""
    with _guard:
        processes = list(_running)
    for process in processes:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop *process* and its children; no effect if it has ended."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
