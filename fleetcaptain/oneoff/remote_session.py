"""Runs a one-off on its machine: two sessions of OpenSSH on one connection, see `machine_scripts`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.process_output import run
from fleetcaptain.fleet.socket_folder import socket_folder
from fleetcaptain.fleet.ssh import Endpoint, command_argv, session_argv, ssh_error
from fleetcaptain.oneoff.guard import Guard
from fleetcaptain.oneoff.machine_scripts import DONE, KILL, STOP, client_argv
from fleetcaptain.oneoff.one_off import Streams

__all__ = ["Ended", "Session", "become", "guarded_session", "start_detached"]

_DETACH_SEC = 60.0
_END_SEC = 15.0
_SSH_FAILED = 255
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Ended:
    """How a session ended: the exit *code* of ssh, which is that of the command, 255 for a connection that was *lost*,
    and negative for a signal; and the signal that this process was *stopped* by, 0 for none."""

    code: int
    stopped: int = 0
    lost: bool = False

    @property
    def exit_code(self) -> int:
        """captain's own: 128 and the signal after a signal."""
        if self.stopped or self.code < 0:
            return 128 + (self.stopped or -self.code)
        return self.code


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
            lost = code == _SSH_FAILED and watch.is_lost()
            if 0 <= code != _SSH_FAILED:
                watch.send(DONE)
        finally:
            # Of a session that ended by itself nothing runs any more.
            watch.end(_END_SEC + session.grace_sec)
    return Ended(code, stopped[0] if stopped else 0, lost)


def start_detached(endpoint: Endpoint, host: str, argv: Sequence[str], script: str) -> None:
    """Run *argv* on *host* with *script* as its input. Raises ClusterUnreachable when it fails."""
    try:
        done = run(command_argv(endpoint, host, argv), _DETACH_SEC + endpoint.detour_sec(host), script)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(host, str(error)) from error
    if done.code:
        raise _failed(host, ssh_error(done.errors))


def become(argv: Sequence[str]) -> NoReturn:
    """Replace this process by *argv*, which has its streams, terminal and signals. Raises ClusterUnreachable when it
    cannot be started."""
    try:
        os.execvp(argv[0], list(argv))  # noqa: S606 - no shell
    except OSError as error:
        raise ClusterUnreachable(
            f"Could not start OpenSSH's client: {error}. Install it, then run the same command again."
        ) from error


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
            watch.wait_ready(endpoint.detour_sec(host))
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
    # ssh adds 17 characters while it makes the socket, whose path has at most 107.
    return str(folder / "s")


def _failed(host: str, why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"Failed to start a command on {host}: {why}. Check that the machine is running and that its user may run "
        "`sudo -n sh`, then run the same command again."
    )
