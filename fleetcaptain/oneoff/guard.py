"""The session that watches over a one-off, and the connection that its client shares."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.process_output import Tail
from fleetcaptain.fleet.ssh import ssh_error
from fleetcaptain.oneoff.machine_scripts import BEAT, BEAT_SEC, READY

__all__ = ["Guard"]

_READY_SEC = 30.0
_LOST_SEC = 1.0
# When this process dies in any way, ssh ends with its input, and the folder of the socket is removed.
_SCRIPT = 'folder=$1; shift; "$@"; rm -rf -- "$folder"'


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

    def wait_ready(self, detour_sec: int = 0) -> None:
        """Wait until the machine has the client's script, *detour_sec* seconds longer than for a direct connection.
        Raises ClusterUnreachable with the reason."""
        deadline, answer = time.monotonic() + _READY_SEC + detour_sec, b""
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

    def is_lost(self) -> bool:
        """Whether its connection is gone, or ends within a second: the client notices first."""
        try:
            self._process.wait(_LOST_SEC)
        except subprocess.TimeoutExpired:
            return False
        return True

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
