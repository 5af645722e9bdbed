"""Streams between this computer and a machine, over SSH."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, BinaryIO, NoReturn

from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError
from fleetcaptain.fleet.ssh import Endpoint, session_argv, ssh_error
from fleetcaptain.printable import last_lines

__all__ = ["Transfer"]

_BLOCK = 1 << 18
_TICK_SEC = 1.0
_LOOK_SEC = 0.1
_REPORT_SEC = 5.0
_SSH_FAILED = 255


class _Meter:
    """Counts bytes, reports them every few seconds, and calls *tick* about every second."""

    def __init__(self, what: str, report: Callable[[str], None], tick: Callable[[], None]) -> None:
        self._what, self._report, self._tick = what, report, tick
        self._count, self._began = 0, time.monotonic()
        self._ticked = self._reported = self._began

    def add(self, count: int) -> None:
        """So many more bytes have passed."""
        self._count += count
        now = time.monotonic()
        if now - self._ticked >= _TICK_SEC:
            self._ticked = now
            self._tick()
        if now - self._reported >= _REPORT_SEC:
            self._reported = now
            self._report(f"{self._what}: {self._count / 1e6:.1f} MB")

    def end(self) -> None:
        """All has passed."""
        self._report(f"{self._what}: {self._count / 1e6:.1f} MB in {time.monotonic() - self._began:.0f} s")


@dataclass(frozen=True)
class Transfer:
    """Streams of commands on *host*. *what* is copied, as *report* gets it; *tick* is called about every second. A
    command that fails raises FleetCaptainError."""

    endpoint: Endpoint
    host: str
    what: str
    report: Callable[[str], None]
    tick: Callable[[], None]

    def receive(self, argv: Sequence[str], target: BinaryIO) -> None:
        """Write the output of *argv* to *target*. After an error it is not whole."""
        with self._started(argv, stdout=subprocess.PIPE) as (process, meter):
            if pipe := process.stdout:
                while True:
                    if not select.select([pipe], [], [], _TICK_SEC)[0]:
                        meter.add(0)
                        continue
                    block = os.read(pipe.fileno(), _BLOCK)
                    if not block:
                        break
                    self._write(block, target)
                    meter.add(len(block))
            self._write(b"", target)

    def send(self, argv: Sequence[str], source: IO[bytes]) -> None:
        """Pass *source* to *argv*, whose output is thrown away."""
        with self._started(argv, stdin=subprocess.PIPE) as (process, meter):
            if pipe := process.stdin:
                # A command that has ended says itself why.
                with suppress(BrokenPipeError):
                    while block := source.read(_BLOCK):
                        pipe.write(block)
                        meter.add(len(block))
                    pipe.close()
            while process.poll() is None:
                time.sleep(_LOOK_SEC)
                meter.add(0)

    def _write(self, block: bytes, target: BinaryIO) -> None:
        try:
            target.write(block)
            target.flush()
        except OSError as error:
            raise FleetCaptainError(
                f"{self.what}: could not write what {self.host} sends: {error.strerror or error}. The backup is not "
                "whole. Make room or name another file, then run the same command again."
            ) from error

    @contextmanager
    def _started(
        self, argv: Sequence[str], stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
    ) -> Iterator[tuple[subprocess.Popen[bytes], _Meter]]:
        meter, command = _Meter(self.what, self.report, self.tick), session_argv(self.endpoint, self.host, argv)
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=errors)
            except OSError as error:
                raise ClusterUnreachable(
                    f"Could not start OpenSSH's client: {error}. Nothing was changed. Install it, then run the same "
                    "command again."
                ) from error
            try:
                yield process, meter
            finally:
                _end(process)
            if process.returncode:
                errors.seek(0)
                self._fail(process.returncode, errors.read().decode(errors="backslashreplace"))
        meter.end()

    def _fail(self, code: int, stderr: str) -> NoReturn:
        if code == _SSH_FAILED:
            raise ClusterUnreachable(
                f"{self.what}: the connection to {self.host} failed: {ssh_error(stderr)}. Check the machine with "
                "`captain doctor`, then run the same command again."
            )
        why = last_lines(stderr) or "it printed no reason"
        raise FleetCaptainError(f"{self.what}: the command on {self.host} failed with the exit code {code}:\n  {why}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End ssh, if the copy was interrupted; what runs on the machine then finds its stream closed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    try:
        process.wait(_REPORT_SEC)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
