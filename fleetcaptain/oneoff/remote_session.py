"""Runs a one-off on its machine: two sessions of OpenSSH on one connection, see `machine_scripts`."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.process_output import Tail, run
from fleetcaptain.fleet.socket_folder import socket_folder
from fleetcaptain.fleet.ssh import Endpoint, command_argv, session_argv, ssh_error
from fleetcaptain.oneoff.machine_scripts import BEAT, BEAT_SEC, DONE, KILL, READY, STOP, client_argv
from fleetcaptain.oneoff.one_off import Streams

__all__ = ["Ended", "Guard", "Session", "guarded_session", "passthrough", "start_detached"]

_READY_SEC = 30.0
_DETACH_SEC = 60.0
_END_SEC = 15.0
_SSH_FAILED = 255
# When this process dies in any way, ssh ends with its input, and the folder of the socket is removed.
_SCRIPT = 'folder=$1; shift; "$@"; rm -rf -- "$folder"'
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ended:
    """How a session ended: the exit *code* of its command, the *stopped* signal that ended it here (0 for none), and
    whether the connection was *lost*."""

    code: int
    stopped: int = 0
    lost: bool = False

    @property
    def exit_code(self) -> int:
        """captain's own: that of the command, 255 for a lost connection, 128 and the signal after a signal."""
        return 128 + self.stopped if self.stopped else _SSH_FAILED if self.lost else self.code


@dataclass(frozen=True)
class Session:
    """What a session on *host* is made of: the *id* of the one-off, the *guard*'s command, the *script* of the client,
    its *streams*, and how many seconds its container may take to stop (*grace_sec*)."""

    host: str
    id: str
    guard: tuple[str, ...]
    script: str
    streams: Streams
    grace_sec: int


class Guard:
    """The session that watches over a one-off: the ssh process *argv*, whose connection the client shares at a socket
    in *folder*, sends *script* and then beats."""

    def __init__(self, argv: Sequence[str], script: str, folder: Path) -> None:
        # A ^C in the terminal must not reach it.
        self._process = subprocess.Popen(
            ["sh", "-c", _SCRIPT, "sh", str(folder), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._errors = Tail(self._process.stderr)
        self._ended = threading.Event()
        # The handler of a signal sends too, in the thread that may be sending.
        self._lock = threading.RLock()
        self.send(script.encode())

    def wait_ready(self) -> None:
        """Wait until the machine has the client's script. Raises ClusterUnreachable with the reason."""
        deadline, answer = time.monotonic() + _READY_SEC, b""
        stream = self._process.stdout
        if stream is None:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while READY not in answer and selector.select(max(0.0, deadline - time.monotonic())):
                chunk = os.read(stream.fileno(), 4096)
                answer += chunk
                if not chunk:
                    break
        if READY not in answer:
            raise ClusterUnreachable(ssh_error(self._errors.text()))
        threading.Thread(target=self._beat, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether its connection is there."""
        return self._process.poll() is None

    def send(self, data: bytes) -> None:
        """Send *data*, if the connection is there."""
        with self._lock, suppress(OSError, ValueError):
            while data and self._process.stdin is not None:
                data = data[os.write(self._process.stdin.fileno(), data) :]

    def end(self, wait_sec: float) -> None:
        """Close the connection. The machine has *wait_sec* seconds to remove what is left; it goes on without us."""
        self._ended.set()
        with self._lock, suppress(OSError, ValueError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(wait_sec)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SEC):
            self.send(BEAT)


def guarded_session(endpoint: Endpoint, session: Session) -> Ended:
    """Run the client of *session*, with this process's streams. Raises ClusterUnreachable when it was not started."""
    host, streams = session.host, session.streams
    with ExitStack() as stack:
        folder = socket_folder()
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        watch, via = _connected(endpoint, session, folder)
        argv = client_argv(session.id)
        client = session_argv(endpoint, host, argv, via=via, terminal=streams.terminal, shared=_socket(folder))
        stopped = stack.enter_context(_stopping(watch))
        try:
            process = subprocess.Popen(
                client,
                stdin=None if streams.stdin or streams.terminal else subprocess.DEVNULL,
                # ssh reads the terminal itself, in which ^C is a byte; without one ^C must reach this process only.
                start_new_session=not streams.terminal,
            )
            code = process.wait()
            lost = code == _SSH_FAILED and not watch.alive
            if code != _SSH_FAILED:
                watch.send(DONE)
        finally:
            # Of a session that ended by itself nothing runs any more.
            watch.end(_END_SEC + session.grace_sec)
    return Ended(code, stopped[0] if stopped else 0, lost)


def start_detached(endpoint: Endpoint, host: str, argv: Sequence[str], script: str) -> None:
    """Run *argv* on *host* with *script* as its input. Raises ClusterUnreachable when it fails."""
    try:
        done = run(command_argv(endpoint, host, argv), _DETACH_SEC, script)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(host, str(error)) from error
    if done.code:
        raise _failed(host, ssh_error(done.errors))


def passthrough(argv: Sequence[str]) -> int:
    """Run *argv* with this process's streams and terminal, and return its exit code. Raises ClusterUnreachable when it
    cannot be started."""
    try:
        process = subprocess.Popen(argv)
    except OSError as error:
        raise ClusterUnreachable(
            f"Could not start OpenSSH's client: {error}. Install it, and run this again."
        ) from error
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _connected(endpoint: Endpoint, session: Session, folder: Path) -> tuple[Guard, str]:
    """The guard, and the host that it is connected through: the first that answers."""
    host, problems = session.host, []
    for via in endpoint.hosts if endpoint.inside and host not in endpoint.hosts else ("",):
        argv = session_argv(endpoint, host, session.guard, via=via, shared=_socket(folder), shares=True)
        try:
            watch = Guard(argv, session.script, folder)
        except OSError as error:
            raise _failed(host, f"could not start OpenSSH's client: {error}") from error
        try:
            watch.wait_ready()
        except ClusterUnreachable as error:
            watch.end(0)
            problems.append(str(error))
        except BaseException:
            watch.end(0)
            raise
        else:
            return watch, via
    raise _failed(host, "; ".join(problems))


@contextmanager
def _stopping(watch: Guard) -> Iterator[list[int]]:
    """Until the block ends a first signal stops the container, and a second one kills it. The list has the signals."""
    got: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        got.append(number)
        watch.send(STOP if len(got) == 1 else KILL)

    before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {
        number: signal.signal(number, handle) for number in _STOPPING
    }
    try:
        yield got
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _socket(folder: Path) -> str:
    return str(folder / "ssh.sock")


def _failed(host: str, why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"Failed to start a command on {host}: {why}. Check that the machine is running and that its user may run "
        "`sudo -n sh`, then run the same command again."
    )
