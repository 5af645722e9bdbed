"""One ssh that forwards fleet's socket and etcd of one machine to ports of the loopback.

The remote end of the connection is ``cat``, fed by a pipe of ours: a line that comes back says that the forwards stand,
and when this process dies, however it dies, the pipe closes, ``cat`` ends and ssh with it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.ssh import Endpoint, last_words, tunnel_argv

__all__ = ["Line", "connect"]

_HELLO = b"fleetcaptain\n"
_READY_SEC = 15
_CLOSE_SEC = 5
_PORT_TRIES = 3
# What OpenSSH says when a local port was taken between our choice and its own bind (channels.c, ssh.c).
_PORT_TAKEN = ("local forwarding", "cannot listen to port", "Address already in use")


class Line:
    """A running ssh with its two forwards, at *fleet_url* and *etcd_url*."""

    def __init__(self, process: subprocess.Popen[bytes], fleet_port: int, etcd_port: int) -> None:
        self._process = process
        self.fleet_url = f"http://127.0.0.1:{fleet_port}"
        self.etcd_url = f"http://127.0.0.1:{etcd_port}"

    @property
    def alive(self) -> bool:
        """Whether ssh still runs. It ends some 15 s after the machine fell silent."""
        return self._process.poll() is None

    def close(self) -> None:
        """End ssh."""
        _end(self._process)


def connect(endpoint: Endpoint, host: str) -> Line:
    """A line to *host* (``user@address``). Raises ClusterUnreachable, in ssh's own words."""
    for attempt in range(1, _PORT_TRIES + 1):
        fleet_port, etcd_port = _free_ports()
        with tempfile.TemporaryFile() as stderr:
            process = _start(tunnel_argv(endpoint, host, fleet_port, etcd_port), host, stderr)
            if _answers(process):
                return Line(process, fleet_port, etcd_port)
            silent = process.poll() is None
            _end(process)
            stderr.seek(0)
            said = stderr.read().decode(errors="replace")
        if attempt == _PORT_TRIES or not any(sign in said for sign in _PORT_TAKEN):
            break
    raise ClusterUnreachable(f"{host}: {f'no answer within {_READY_SEC} s' if silent else last_words(said)}")


def _start(argv: Sequence[str], host: str, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A file: a pipe that nobody reads would fill up and stop ssh.
            stderr=stderr,
            # A ^C in the terminal is for us; ssh ends with our pipe.
            start_new_session=True,
        )
    except OSError as error:
        raise ClusterUnreachable(f"{host}: OpenSSH's client does not start: {error}") from error


def _answers(process: subprocess.Popen[bytes]) -> bool:
    """Whether ``cat`` on the other side gives our line back in time; ssh makes its forwards before it starts it."""
    if process.stdin is None or process.stdout is None:
        return False
    try:
        process.stdin.write(_HELLO)
        process.stdin.flush()
    except OSError:
        return False
    said, deadline = b"", time.monotonic() + _READY_SEC
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(process.stdout.fileno(), 4096)
            said += chunk
            # Before our line may come what the machine's shell says at a login.
            if not chunk or _HELLO in said:
                return bool(chunk)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.terminate()
    try:
        process.wait(_CLOSE_SEC)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports() -> tuple[int, int]:
    """Two ports of the loopback that nobody listens on. If somebody is quicker, ssh fails, and others are tried."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
