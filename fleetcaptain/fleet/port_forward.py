"""One ssh that forwards fleet's socket and etcd of one machine to unix sockets of this user; etcd as its superuser has
it, where the machine has a socket or a password for that.

The remote end of the connection is ``cat``, fed by a pipe of ours: a line that comes back says that the forwards stand,
and when this process dies, however it dies, the pipe closes, ``cat`` ends, ssh with it, and the shell that started ssh
removes the folder of the sockets.
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
from fleetcaptain.fleet.ssh import HAS_ROOT_SOCKET, Endpoint, last_words, password_in, tunnel_argv
from fleetcaptain.net.pools import UNIX

__all__ = ["PortForward", "connect"]

_HELLO = b"fleetcaptain\n"
_READY_SEC = 15
_SAID_BYTES = 4096
_CLOSE_SEC = 5
_SCRIPT = 'folder=$1; shift; "$@"; rm -rf -- "$folder"'


class PortForward:
    """A running ssh with its forwards, at *fleet_url* and *etcd_url*, whose sockets are in *folder*. *etcd_password* is
    that of etcd's superuser, if the machine has one."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.fleet_url = f"{UNIX}{_fleet(folder)}"
        self.etcd_url = f"{UNIX}{_etcd(folder)}"
        self.etcd_password = ""

    @property
    def alive(self) -> bool:
        """Whether ssh still runs. It ends some 15 s after the machine fell silent."""
        return self._process.poll() is None

    def close(self) -> None:
        """End ssh, and remove its sockets."""
        _end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)


def connect(endpoint: Endpoint, host: str) -> PortForward:
    """A line to *host* (``user@address``). Raises ClusterUnreachable, in ssh's own words."""
    folder = socket_folder()
    argv = tunnel_argv(endpoint, host, str(_fleet(folder)), str(_etcd(folder)), str(_root(folder)))
    try:
        process = subprocess.Popen(
            ["sh", "-c", _SCRIPT, "sh", str(folder), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A ^C in the terminal is for us; ssh ends with our pipe.
            start_new_session=True,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ClusterUnreachable(f"{host}: OpenSSH's client does not start: {error}") from error
    line, stderr = PortForward(process, folder), Tail(process.stderr)
    answer, why = None, ""
    try:
        answer = _answer(process)
    except TimeoutError:
        why = f"no answer within {_READY_SEC} s"
    finally:
        if answer is None:
            line.close()
    if answer is not None:
        if HAS_ROOT_SOCKET in answer:
            line.etcd_url = f"{UNIX}{_root(folder)}"
        line.etcd_password = password_in(answer)
        return line
    raise ClusterUnreachable(f"{host}: {why or last_words(stderr.text())}")


def _fleet(folder: Path) -> Path:
    return folder / "fleet.sock"


def _etcd(folder: Path) -> Path:
    return folder / "etcd.sock"


def _root(folder: Path) -> Path:
    return folder / "etcd-root.sock"


def _answer(process: subprocess.Popen[bytes]) -> bytes | None:
    """What the machine says up to our line, which ``cat`` on the other side gives back; ssh makes its forwards before
    it starts that. None when ssh ends before. Raises TimeoutError when neither happens in time."""
    if process.stdin is None or process.stdout is None:
        return None
    try:
        process.stdin.write(_HELLO)
        process.stdin.flush()
    except OSError:
        return None
    said, deadline = b"", time.monotonic() + _READY_SEC
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(process.stdout.fileno(), 4096)
            said += chunk
            # Before that may come what the machine's shell says at a login.
            if not chunk or _HELLO in said:
                return said if chunk else None
            said = said[-_SAID_BYTES:]
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
