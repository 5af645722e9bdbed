"""Many services and many units: first deploys, one ``up``, removal, and the number of requests to fleet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.bench_cluster import Site, fleetfile
from bench.harness import Row, compared, counted, seconds
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.strategies.rolling import install, roll

__all__ = ["rows"]

_SIXTY, _TWELVE = 60, 12
_POLICY = Policy(min_healthy_sec=0)


def rows(site: Site) -> Iterator[Row]:
    """All of them."""
    yield from _sixty(site)
    yield _calls(site)
    yield from _ups(site)


def _sixty(site: Site) -> Iterator[Row]:
    created: tuple[list[float], list[float]] = ([], [])
    removed: tuple[list[float], list[float]] = ([], [])
    for _ in range(2):
        plain = site.target("plain", _SIXTY)
        created[1].append(seconds(lambda plain=plain: site.install(plain)))  # type: ignore[misc]
        removed[1].append(seconds(lambda plain=plain: _delete_plainly(site, plain.names)))  # type: ignore[misc]
        many = site.target("many", _SIXTY)
        created[0].append(seconds(lambda many=many: install(Driver(site.cluster), many, _POLICY)))  # type: ignore[misc]
        removed[0].append(seconds(lambda many=many: site.clear("many", many.names)))  # type: ignore[misc]
    yield counted("first deploy of 60 units", created[0], "60 plain PUTs until active", created[1], goal=1.2)
    yield counted("removal of 60 units", removed[0], "60 plain DELETEs until gone", removed[1], goal=0.4)


def _delete_plainly(site: Site, names: tuple[str, ...]) -> None:
    """Delete the units and wait until systemd has unloaded them: fleet reports a unit as gone while it still runs."""
    for name in names:
        site.cluster.fleet.delete(name)
    while site.known(names) or site.left_on_machines("plain"):
        site.cluster.sleep(0.5)


def _calls(site: Site) -> Row:
    """Requests to fleet per second while 12 services are rolled, and while one is."""
    services = [f"call{number}" for number in range(_TWELVE)]
    for service in services:
        site.install(site.target(service, 3))

    def rate(rolled: list[str]) -> float:
        with _counted_calls(site) as calls, ThreadPoolExecutor(len(rolled)) as pool:
            took = seconds(lambda: list(pool.map(lambda service: _roll(site, service), rolled)))
        return calls[0] / took

    row = compared(
        "calls of fleet's API while 12 services of 3 are rolled",
        lambda: rate(services),
        "while one is",
        lambda: rate(services[:1]),
        rounds=2,
        unit="/s",
    )
    for service in services:
        site.clear(service, [f"{service}@{number}.service" for number in (1, 2, 3)])
    return row


def _roll(site: Site, service: str) -> None:
    roll(Driver(site.cluster), site.target(service, 3), _POLICY, True)


class _counted_calls:  # noqa: N801  a context manager that reads like a function
    """Counts the calls of the transport within the block."""

    def __init__(self, site: Site) -> None:
        self._transport: Any = site.cluster.fleet._transport
        self._lock = threading.Lock()

    def __enter__(self) -> list[int]:
        calls, plain = [0], self._transport.call

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                calls[0] += 1
            return plain(*args, **kwargs)

        self._transport.call = call
        return calls

    def __exit__(self, *_error: object) -> None:
        del self._transport.call


def _ups(site: Site) -> Iterator[Row]:
    """Whole ``pulumi up``s."""
    file, number = site.stack.app / "Fleetfile.py", 0

    def up(services: int, instances: int) -> Callable[[], float]:
        def act() -> float:
            nonlocal number
            number += 1
            file.write_text(fleetfile(services, instances, number))
            return seconds(site.stack.up)

        return act

    one, twelve = up(1, 3), up(_TWELVE, 3)
    one()
    alone = [one() for _ in range(2)]
    twelve()
    together = [twelve() for _ in range(2)]
    yield counted("12 services of 3 replaced in one `up`", together, "one of them alone", alone, goal=1.5)
    up(50, 1)()
    unchanged = [seconds(site.stack.up) for _ in range(2)]
    file.write_text(fleetfile(1, 1, number))
    site.stack.set("strays", "remove")
    site.stack.up()
    almost_empty = [seconds(site.stack.up) for _ in range(2)]
    yield counted("an `up` of 50 services without a change", unchanged, "an `up` of 1 without a change", almost_empty)
