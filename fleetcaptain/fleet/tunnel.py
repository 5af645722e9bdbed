"""A tunnel into the cluster through OpenSSH: fleet's socket and etcd, on ports of the loopback.

The remote end of the connection is ``cat``, fed by a pipe of ours: a line that comes back says that the tunnel stands,
and when this process dies, however it dies, the pipe closes, ``cat`` ends and ssh with it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.ssh import Endpoint, command_argv, last_words, tunnel_argv

__all__ = ["Result", "Tunnel"]

_READY_SEC = 15
_COMMAND_SEC = 30
_PORT_TRIES = 3


@dataclass(frozen=True)
class Result:
    """What a command on a machine left: its exit *code* and its *output*."""

    code: int
    output: str


@dataclass
class _Line:
    """One running ssh and the two local ports that it forwards."""

    process: subprocess.Popen[bytes]
    fleet_port: int
    etcd_port: int

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)


class Tunnel:
    """Opened when first used, and again, through the next machine, when it broke. Safe to share between threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self._next = 0

    def fleet_url(self) -> str:
        """Where fleet's API answers now. Raises ClusterUnreachable when no machine lets us in."""
        return f"http://127.0.0.1:{self._open().fleet_port}"

    def etcd_url(self) -> str:
        """Where etcd answers now. Raises ClusterUnreachable when no machine lets us in."""
        return f"http://127.0.0.1:{self._open().etcd_port}"

    def run(self, host: str, argv: list[str], timeout_sec: float = _COMMAND_SEC) -> Result:
        """Run a command on *host* (``user@address``). Raises ClusterUnreachable when that machine does not answer."""
        try:
            done = subprocess.run(
                command_argv(self._endpoint, host, argv),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_sec,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ClusterUnreachable(f"{host} does not answer: {error}") from error
        if done.returncode == 255:  # noqa: PLR2004  ssh's own failures, by its manual page
            raise ClusterUnreachable(f"{host} does not answer: {last_words(done.stderr)}")
        return Result(done.returncode, done.stdout)

    def close(self) -> None:
        """End the ssh of this tunnel, if one runs."""
        with self._lock:
            if self._line is not None:
                self._line.close()
                self._line = None

    def _open(self) -> _Line:
        with self._lock:
            if self._line is not None and self._line.alive:
                return self._line
            if self._line is not None:
                self._line.close()
                self._line = None
            problems = []
            for offset in range(len(self._endpoint.hosts)):
                host = self._endpoint.hosts[(self._next + offset) % len(self._endpoint.hosts)]
                line = _connect(self._endpoint, host)
                if isinstance(line, _Line):
                    self._next = (self._next + offset + 1) % len(self._endpoint.hosts)
                    self._line = line
                    return line
                problems.append(f"{host}: {line}")
            raise ClusterUnreachable(
                f"no machine of the cluster lets us in ({'; '.join(problems)}). Are the machines running, and is the "
                "key right? Nothing was changed; run the same command again when one answers."
            )


def _connect(endpoint: Endpoint, host: str) -> _Line | str:
    """A tunnel through *host*, or why there is none."""
    problem = ""
    for _ in range(_PORT_TRIES):
        fleet_port, etcd_port = _free_ports()
        try:
            process = subprocess.Popen(
                tunnel_argv(endpoint, host, fleet_port, etcd_port),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A ^C in the terminal is for us; ssh ends with our pipe.
                start_new_session=True,
            )
        except OSError as error:
            return f"`ssh` does not run: {error}"
        line = _Line(process, fleet_port, etcd_port)
        if _echoes(process):
            _drain(process)
            return line
        line.close()
        problem = last_words(process.stderr.read().decode(errors="replace") if process.stderr else "")
        if "port" not in problem and "forward" not in problem:
            break
    return problem


def _echoes(process: subprocess.Popen[bytes]) -> bool:
    """Whether ``cat`` on the other side gives a line back in time."""
    if process.stdin is None or process.stdout is None:
        return False
    try:
        process.stdin.write(b"open\n")
        process.stdin.flush()
    except OSError:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + _READY_SEC
        while time.monotonic() < deadline:
            if selector.select(timeout=1):
                return bool(os.read(process.stdout.fileno(), 64))
    return False


def _drain(process: subprocess.Popen[bytes]) -> None:
    """Read what ssh says, so that it never blocks on a full pipe."""

    def read() -> None:
        with contextlib.suppress(OSError, ValueError):
            while process.stderr is not None and process.stderr.read(4096):
                pass

    threading.Thread(target=read, daemon=True).start()


def _free_ports() -> tuple[int, int]:
    """Two ports of the loopback that nobody listens on. If somebody is quicker, ssh fails, and others are tried."""
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
