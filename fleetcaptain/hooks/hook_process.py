"""Runs a hook: its output line by line, with a time limit for it and all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from fleetcaptain.printable import excerpt, text_of

__all__ = ["run_hook"]

_MOST_LINES = 1000
_CHUNK_BYTES = 64 * 2**10
# How long a hook may take to end after the first signal.
_GRACE_SEC = 5.0
# A process that the hook left behind may keep the pipe open.
_DRAIN_SEC = 1.0


def run_hook(
    path: Path, folder: Path, environ: Mapping[str, str], timeout_sec: float, report: Callable[[str], None]
) -> str:
    """Run the program *path* in *folder*, and *report* each line of its output. Returns why it failed, else "".

    After *timeout_sec* seconds it is ended, with all processes of its group. It gets no input.
    """
    try:
        process = subprocess.Popen(
            [str(path)],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f"it could not be started: {error.strerror}"
    reader = threading.Thread(target=_report_lines, args=(process.stdout, report), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout_sec)
    except subprocess.TimeoutExpired:
        _end(process)
        reader.join(_DRAIN_SEC)
        return f"it did not end within {timeout_sec:.0f} s and was stopped"
    reader.join(_DRAIN_SEC)
    if code < 0:
        return f"it was ended by {_signal_name(-code)}"
    return f"exit code {code}" if code else ""


def _signal_name(number: int) -> str:
    """``SIGTERM``; the real-time signals have no names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"the signal {number}"


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SEC)


def _report_lines(stream: IO[bytes] | None, report: Callable[[str], None]) -> None:
    if stream is None:
        return
    left, number = b"", 0
    with stream:
        while chunk := os.read(stream.fileno(), _CHUNK_BYTES):
            *lines, left = (left + chunk).split(b"\n")
            for line in lines:
                number += 1
                if number <= _MOST_LINES:
                    report(excerpt([text_of(line)], 1)[0])
            left = left[-_CHUNK_BYTES:]
    if left and number < _MOST_LINES:
        report(excerpt([text_of(left)], 1)[0])
    if number > _MOST_LINES:
        report(f"... and {number - _MOST_LINES:,} more lines, which are not shown")
