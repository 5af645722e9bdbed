"""The SSH tunnel to a cluster: fleet's socket, etcd and commands, through any machine that answers."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.port_forward import PortForward, connect
from fleetcaptain.fleet.process_output import run
from fleetcaptain.fleet.ssh import Endpoint, command_argv, ssh_error

__all__ = ["Result", "Tunnel"]

_COMMAND_SEC = 30
_SSH_FAILED = 255


@dataclass(frozen=True)
class Result:
    """The result of a command on a machine: its exit *code* and the end of its standard *output* and *errors*."""

    code: int
    output: str = field(repr=False)
    errors: str = field(default="", repr=False)


class Tunnel:
    """Opens at first use, and again through the next machine when it breaks. Safe to share between threads. Commands
    use its connection as far as it leads, so a cluster behind a detour sees one connection, not one for each command.

    Give `fleet_url` and `mark_unreachable` to a `Transport`; `etcd_url`, `etcd_password` and `mark_unreachable` to an
    `EtcdStore`: a call to a dead machine, or one with a dead fleetd or etcd, is then retried through another machine.
    """

    def __init__(self, endpoint: Endpoint, connect: Callable[[Endpoint, str], PortForward] = connect) -> None:
        self._endpoint = endpoint
        self._connect = connect
        self._lock = threading.Lock()
        self._forward: PortForward | None = None
        self._former: PortForward | None = None
        # A connection that opens may hold the other lock for long.
        self._counting = threading.Lock()
        self._commands: Counter[PortForward] = Counter()
        self._retired: set[PortForward] = set()
        self._next = 0

    def fleet_url(self) -> str:
        """The present URL of fleet's API. Raises ClusterUnreachable when no machine accepts a connection."""
        return self._open().fleet_url

    def etcd_url(self) -> str:
        """The present URL of etcd. Raises ClusterUnreachable when no machine accepts a connection."""
        return self._open().etcd_url

    def etcd_password(self) -> str:
        """The password of etcd's superuser, if the machine has one. Raises ClusterUnreachable."""
        return self._open().etcd_password

    def mark_unreachable(self, url: str) -> None:
        """Switch to another machine, if there is one: fleet or etcd did not answer at *url*.

        Does nothing when the tunnel uses another machine already.
        """
        with self._lock:
            forward = self._forward
            if forward is None or url not in (forward.fleet_url, forward.etcd_url) or len(self._endpoint.hosts) == 1:
                return
            # Other threads may be in the middle of a call through it, so it stays open a while.
            if self._former is not None:
                self._retire(self._former)
            self._former, self._forward = self._forward, None

    def command(self, host: str, argv: Sequence[str]) -> list[str]:
        """The command that runs *argv* on *host*, for a process of the caller's own. It shares the connection, if there
        is one now, and ends with it."""
        via, forward = self._last(), self._shareable(host)
        return command_argv(self._endpoint, host, argv, via, forward.shared if forward else "")

    def run(self, host: str, argv: Sequence[str], timeout_sec: float = _COMMAND_SEC, text: str = "") -> Result:
        """Run a command on *host* (``user@address``) with *text* as its input. Raises ClusterUnreachable when the
        machine does not answer or the command exceeds *timeout_sec*."""
        allowed_sec = timeout_sec + self._endpoint.detour_sec(host)
        try:
            with self._shared_connection(host) as (via, shared):
                done = run(command_argv(self._endpoint, host, argv, via, shared), allowed_sec, text)
        except subprocess.TimeoutExpired as error:
            raise _silent(host, f"`{argv[0]}` did not finish within {allowed_sec:g} s") from error
        except OSError as error:
            raise _silent(host, f"could not start OpenSSH's client: {error}") from error
        if done.code == _SSH_FAILED:
            raise _silent(host, ssh_error(done.errors))
        return Result(done.code, done.output, done.errors)

    def close(self) -> None:
        """End the ssh processes of this tunnel. It opens again at the next use."""
        with self._lock:
            for forward in (self._forward, self._former, *self._retired):
                if forward is not None:
                    forward.close()
            self._forward = self._former = None
            self._retired.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @contextmanager
    def _shared_connection(self, host: str) -> Iterator[tuple[str, str]]:
        """The host of the last connection, and the socket that shares it; "" when it is closed, or *host* is reached
        without a detour, which costs little. It stays open for the block also when the tunnel switches to another
        machine: a command that takes long would be cut off."""
        via, forward = self._last(), self._shareable(host)
        if forward is None:
            yield via, ""
            return
        with self._counting:
            self._commands[forward] += 1
        try:
            yield via, forward.shared
        finally:
            with self._counting:
                self._commands[forward] -= 1
                is_unused = forward in self._retired and not self._commands[forward]
            if is_unused:
                self._retired.discard(forward)
                forward.close()

    def _shareable(self, host: str) -> PortForward | None:
        """The connection, if it is open and *host* is behind a detour."""
        forward = self._forward if self._endpoint.detour_sec(host) else None
        return forward if forward is not None and forward.alive else None

    def _retire(self, forward: PortForward) -> None:
        """Close *forward*, or have its last command close it."""
        with self._counting:
            is_used = self._commands[forward] > 0
            if is_used:
                self._retired.add(forward)
        if not is_used:
            forward.close()

    def _last(self) -> str:
        """The host of the last connection."""
        hosts = self._endpoint.hosts
        return hosts[(self._next - 1) % len(hosts)] if hosts else ""

    def _open(self) -> PortForward:
        with self._lock:
            if self._forward is not None:
                if self._forward.alive:
                    return self._forward
                self._forward.close()
                self._forward = None
            hosts, problems = self._endpoint.hosts, []
            for turn in range(self._next, self._next + len(hosts)):
                try:
                    self._forward = self._connect(self._endpoint, hosts[turn % len(hosts)])
                except ClusterUnreachable as error:
                    problems.append(str(error))
                else:
                    self._next = (turn + 1) % len(hosts)
                    return self._forward
            raise ClusterUnreachable(
                f"Could not connect to any machine of the cluster ({'; '.join(problems)}). Nothing was changed. Check "
                "that the machines are running and that the SSH key is correct, then run the same command again."
            )


def _silent(host: str, why: str) -> ClusterUnreachable:
    return ClusterUnreachable(
        f"{host} does not answer: {why}. Check that the machine is running, then run the same command again."
    )
