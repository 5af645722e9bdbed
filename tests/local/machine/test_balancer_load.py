"""A rollout behind a TCP balancer under load: real sockets, with the times of public services, ten times as fast.

The balancer has the intervals of the real one, active and passive checks. Each new connection that no instance answers
counts as lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from fleetcaptain.release.balanced_app import INTERVAL_SEC, LEAVE_SEC, TIMES

_FASTER = 10
_CLOSED_SEC = 12 / _FASTER
_PAUSE_SEC = 0.004
_ANSWER = b"ok"


@dataclass
class Instance:
    """A service at a port of its own. *registered*: what the machine agent answers."""

    port: int = 0
    registered: bool = False
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, and register."""

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(_ANSWER)
            writer.close()

        self._server = await asyncio.start_server(answer, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.registered = True

    async def stop(self, leave_sec: float) -> None:
        """Unregister, serve for *leave_sec*, and stop."""
        self.registered = False
        await asyncio.sleep(leave_sec)
        if self._server:
            self._server.close()


async def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = await reader.read()
        writer.close()
        return answer == _ANSWER
    return False


@dataclass
class Balancer:
    """One node, which checks *instances* each *interval_sec*, *by_port* or by their registrations."""

    instances: list[Instance]
    interval_sec: float
    by_port: bool
    healthy: list[bool] = field(default_factory=list)
    tried: int = 0
    lost: int = 0

    async def check(self, number: int) -> None:
        """The checks of an instance, until it is cancelled."""
        streak = 0
        await asyncio.sleep(self.interval_sec * 0.37 * number)
        while True:
            instance = self.instances[number]
            passed = await _is_open(instance.port) if self.by_port else instance.registered
            streak = 0 if passed == self.healthy[number] else streak + 1
            if streak >= TIMES:
                self.healthy[number], streak = passed, 0
            await asyncio.sleep(self.interval_sec)

    async def load(self) -> None:
        """New connections, one after the other, until it is cancelled."""
        while True:
            believed = [one for one, fine in enumerate(self.healthy) if fine] or list(range(len(self.instances)))
            number = believed[self.tried % len(believed)]
            self.tried += 1
            if not await _is_open(self.instances[number].port):
                self.lost += 1
                self.healthy[number] = False  # the passive check
            await asyncio.sleep(_PAUSE_SEC)


@asynccontextmanager
async def _serving(instances: int, interval_sec: float, *, by_port: bool) -> AsyncIterator[Balancer]:
    made = [Instance() for _ in range(instances)]
    for one in made:
        await one.start()
    node = Balancer(made, interval_sec, by_port, [True] * instances)
    tasks = [asyncio.create_task(node.check(number)) for number in range(instances)]
    tasks.append(asyncio.create_task(node.load()))
    try:
        yield node
    finally:
        for task in tasks:
            task.cancel()
        for one in made:
            await one.stop(0)


async def _rollout(
    instances: int, interval_sec: float, leave_sec: float, bake_sec: float, *, by_port: bool
) -> Balancer:
    async with _serving(instances, interval_sec, by_port=by_port) as node:
        for instance in node.instances:
            await instance.stop(leave_sec)
            await asyncio.sleep(_CLOSED_SEC)
            await instance.start()
            await asyncio.sleep(bake_sec)
        return node


def now(instances: int) -> Balancer:
    """A rollout as it is."""
    sec = LEAVE_SEC / _FASTER
    return asyncio.run(_rollout(instances, INTERVAL_SEC / _FASTER, sec, sec, by_port=False))


@pytest.mark.parametrize("instances", [2, 3])
def test_a_rollout_under_load_loses_nothing(instances: int) -> None:
    """Of two and three instances."""
    node = now(instances)
    assert node.tried > 100
    assert node.lost == 0


def test_the_balancer_can_lose_connections() -> None:
    """Where it checks the port every ten seconds, and an instance stops at once; and where there is one instance."""
    assert asyncio.run(_rollout(2, 10 / _FASTER, 0, 10 / _FASTER, by_port=True)).lost > 0
    assert now(1).lost > 0
