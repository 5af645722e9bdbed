"""The way into a cluster through OpenSSH: fleet's socket, etcd, and commands, through whichever machine answers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.port_forward import PortForward, connect
from fleetcaptain.fleet.process_output import run
from fleetcaptain.fleet.ssh import Endpoint, command_argv, last_words

__all__ = ["Result", "Tunnel"]

_COMMAND_SEC = 30
_SSH_FAILED = 255


@dataclass(frozen=True)
class Result:
    """What a command on a machine left: its exit *code* and the end of its standard *output* and of its *errors*."""

    code: int
    output: str = field(repr=False)
    errors: str = field(default="", repr=False)


class Tunnel:
    """Opened when first used, and again, through the next machine, when it broke. Safe to share between threads.

    Give `fleet_url` and `mark_unreachable` to a `Transport`; `etcd_url`, `etcd_password` and `mark_unreachable` to an
    `EtcdStore`: a call that meets a dead machine, or one whose fleetd or etcd is dead, then goes through another one.
    """

    def __init__(self, endpoint: Endpoint, connect: Callable[[Endpoint, str], PortForward] = connect) -> None:
        self._endpoint = endpoint
        self._connect = connect
        self._lock = threading.Lock()
        self._line: PortForward | None = None
        self._left: PortForward | None = None
        self._next = 0

    def fleet_url(self) -> str:
        """Where fleet's API answers now. Raises ClusterUnreachable when no machine lets us in."""
        return self._open().fleet_url

    def etcd_url(self) -> str:
        """Where etcd answers now. Raises ClusterUnreachable when no machine lets us in."""
        return self._open().etcd_url

    def etcd_password(self) -> str:
        """The password of etcd's superuser, if the machine has one. Raises ClusterUnreachable."""
        return self._open().etcd_password

    def mark_unreachable(self, url: str) -> None:
        """Go on through another machine, if there is one: fleet, or etcd, did not answer at *url*.

        Nothing happens when the way leads elsewhere already.
        """
        with self._lock:
            line = self._line
            if line is None or url not in (line.fleet_url, line.etcd_url) or len(self._endpoint.hosts) == 1:
                return
            # Other threads may be in the middle of a call through it, so it stays open a while.
            if self._left is not None:
                self._left.close()
            self._left, self._line = self._line, None

    def run(self, host: str, argv: Sequence[str], timeout_sec: float = _COMMAND_SEC, text: str = "") -> Result:
        """Run a command on *host* (``user@address``), with *text* as its input. Raises ClusterUnreachable when that
        machine does not answer, or the command is not done by then."""
        try:
            done = run(command_argv(self._endpoint, host, argv, self._last()), timeout_sec, text)
        except subprocess.TimeoutExpired as error:
            raise _silent(host, f"`{argv[0]}` was not done within {timeout_sec:g} s") from error
        except OSError as error:
            raise _silent(host, f"OpenSSH's client does not start: {error}") from error
        if done.code == _SSH_FAILED:
            raise _silent(host, last_words(done.errors))
        return Result(done.code, done.output, done.errors)

    def close(self) -> None:
        """End what runs for this tunnel. It opens again when it is used again."""
        with self._lock:
            for line in (self._line, self._left):
                if line is not None:
                    line.close()
            self._line = self._left = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _last(self) -> str:
        """The host that let us in last."""
        hosts = self._endpoint.hosts
        return hosts[(self._next - 1) % len(hosts)] if hosts else ""

    def _open(self) -> PortForward:
        with self._lock:
            if self._line is not None:
                if self._line.alive:
                    return self._line
                self._line.close()
                self._line = None
            hosts, problems = self._endpoint.hosts, []
            for turn in range(self._next, self._next + len(hosts)):
                try:
                    self._line = self._connect(self._endpoint, hosts[turn % len(hosts)])
                except ClusterUnreachable as error:
                    problems.append(str(error))
                else:
                    self._next = (turn + 1) % len(hosts)
                    return self._line
            raise ClusterUnreachable(
                f"no machine of the cluster lets us in ({'; '.join(problems)}). Are the machines running, and is the "
                "key right? Nothing was changed; run the same command again when one answers."
            )


def _silent(host: str, why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"{host} does not answer: {why}. Is the machine running? Run the same command again when it answers."
    )
