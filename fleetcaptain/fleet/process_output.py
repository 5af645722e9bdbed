"""Runs programs and keeps the end of their output, whatever its size."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

__all__ = ["KEPT_BYTES", "Finished", "Tail", "run"]

KEPT_BYTES = 256 * 2**10
_CHUNK_BYTES = 64 * 2**10
# A process that outlives the one that started it may keep a pipe open.
_DRAIN_SEC = 1.0


class Tail:
    """Reads the pipe *stream* to its end in a thread, so that its writer never waits, and keeps the last
    `KEPT_BYTES`."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """The kept text, once the stream has ended, or after a second."""
        self._thread.join(_DRAIN_SEC)
        with self._lock:
            return self._kept.decode(errors="replace")

    def _read(self) -> None:
        if self._stream is None:
            return
        # The reading thread closes it: a close by another thread would wait for the read, or free its descriptor.
        with self._stream:
            while chunk := os.read(self._stream.fileno(), _CHUNK_BYTES):
                with self._lock:
                    self._kept += chunk
                    del self._kept[:-KEPT_BYTES]


@dataclass(frozen=True)
class Finished:
    """A program's exit *code*, and the last `KEPT_BYTES` of its *output* and of its *errors*."""

    code: int
    output: str = field(repr=False)
    errors: str = field(repr=False)


def run(argv: Sequence[str], timeout_sec: float, text: str = "", environ: Mapping[str, str] | None = None) -> Finished:
    """Run *argv* with *text*, a few lines, as its input, and the variables *environ* in addition to those of this
    process. Raises subprocess.TimeoutExpired, and OSError when it does not start."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ} if environ else None,
    )
    output, errors = Tail(process.stdout), Tail(process.stderr)
    try:
        if process.stdin is not None:
            # A program that does not read its input, or has ended, reports it by its exit code.
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(text.encode())
        code = process.wait(timeout_sec)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Finished(code, output.text(), errors.text())
