"""One ssh process that forwards fleet's socket and etcd of one machine to unix sockets of this user; etcd as its
superuser, where the machine has a socket or a password for that. Commands on the machine, and on those behind it, share
its connection.

The remote command is ``cat``, fed by a pipe of this process: a line that comes back means that the forwards are up.
When this process dies in any way, the pipe closes, ``cat`` and ssh end, and the shell that started ssh removes the
folder of the sockets.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from pathlib import Path

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.process_output import Tail
from fleetcaptain.fleet.socket_folder import socket_folder
from fleetcaptain.fleet.ssh import HAS_ROOT_SOCKET, Endpoint, password_in, ssh_error, tunnel_argv
from fleetcaptain.net.pools import UNIX

__all__ = ["PortForward", "connect"]

_HELLO = b"fleetcaptain\n"
_READY_SEC = 15
_ANSWER_BYTES = 4096
_CLOSE_SEC = 5
_SCRIPT = 'folder=$1; shift; "$@"; rm -rf -- "$folder"'


class PortForward:
    """A running ssh with forwards at *fleet_url* and *etcd_url*; their sockets are in *folder*. *etcd_password* is that
    of etcd's superuser, if the machine has one. *shared*: the socket at which commands use its connection."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.fleet_url = f"{UNIX}{_fleet(folder)}"
        self.etcd_url = f"{UNIX}{_etcd(folder)}"
        self.etcd_password = ""
        self.shared = str(_master(folder))

    @property
    def alive(self) -> bool:
        """Whether ssh still runs. It ends about 15 s after the machine stops answering."""
        return self._process.poll() is None

    def close(self) -> None:
        """End ssh and remove its sockets."""
        _end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)


def connect(endpoint: Endpoint, host: str) -> PortForward:
    """Open a connection to *host* (``user@address``). Raises ClusterUnreachable with ssh's message."""
    folder = socket_folder()
    sockets = map(str, (_fleet(folder), _etcd(folder), _root(folder)))
    argv = tunnel_argv(endpoint, host, *sockets, shared=str(_master(folder)))
    try:
        process = subprocess.Popen(
            ["sh", "-c", _SCRIPT, "sh", str(folder), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A ^C in the terminal must not reach ssh; ssh ends when the pipe closes.
            start_new_session=True,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ClusterUnreachable(f"{host}: could not start OpenSSH's client: {error}") from error
    forward, stderr = PortForward(process, folder), Tail(process.stderr)
    answer, why, ready_sec = None, "", _READY_SEC + endpoint.detour_sec(host)
    try:
        answer = _answer(process, ready_sec)
    except TimeoutError:
        why = f"no answer within {ready_sec} s"
    finally:
        if answer is None:
            forward.close()
    if answer is not None:
        if HAS_ROOT_SOCKET in answer:
            forward.etcd_url = f"{UNIX}{_root(folder)}"
        forward.etcd_password = password_in(answer)
        return forward
    raise ClusterUnreachable(f"{host}: {why or ssh_error(stderr.text())}")


def _fleet(folder: Path) -> Path:
    return folder / "fleet.sock"


def _etcd(folder: Path) -> Path:
    return folder / "etcd.sock"


def _root(folder: Path) -> Path:
    return folder / "etcd-root.sock"


def _master(folder: Path) -> Path:
    # ssh adds 17 characters while it makes this socket.
    return folder / "m"


def _answer(process: subprocess.Popen[bytes], ready_sec: float) -> bytes | None:
    """The machine's output up to the line that ``cat`` sends back; ssh opens its forwards before it starts ``cat``.
    None when ssh ends before. Raises TimeoutError when neither happens in time."""
    if process.stdin is None or process.stdout is None:
        return None
    try:
        process.stdin.write(_HELLO)
        process.stdin.flush()
    except OSError:
        return None
    answer, deadline = b"", time.monotonic() + ready_sec
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(process.stdout.fileno(), 4096)
            answer += chunk
            # The output of the machine's login shell may come first.
            if not chunk or _HELLO in answer:
                return answer if chunk else None
            answer = answer[-_ANSWER_BYTES:]
    raise TimeoutError


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        # The shell, ssh, and the command through which it connects.
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CLOSE_SEC)
