"""Replacing one service, against fleet's own floor, and against ``fleetctl start --replace``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.bench_cluster import Site
from bench.harness import Row, compared, seconds
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.strategies.blue_green import replace_generation
from fleetcaptain.rollout.strategies.rolling import roll

__all__ = ["rows"]

_FOUR = 4
_ONE_BY_ONE = Policy(min_healthy_sec=0)
_ROUNDS = 5
_NUDGE_SEC, _POLL_SEC = 1.05, 0.15


def rows(site: Site) -> Iterator[Row]:
    """All of them."""
    web = site.target("web", _FOUR)
    site.install(web)

    def ours() -> float:
        return seconds(lambda: roll(Driver(site.cluster), site.target("web", _FOUR), _ONE_BY_ONE, True))

    yield compared(
        "replacing 4 instances one by one, bake 0",
        ours,
        "4 times fleet's own floor with nudges",
        lambda: _FOUR * _floor(site, web.names[0]),
        rounds=_ROUNDS,
        goal=1.2,
    )
    yield compared(
        "replacing 4 instances one by one, bake 0",
        ours,
        "`fleetctl start --replace` one by one, with a wait",
        lambda: sum(_by_fleetctl(site, name) for name in web.names),
        rounds=3,
        goal=0.5,
    )
    site.clear("web", web.names)
    yield compared(
        "blue/green of 12 instances",
        lambda: _bluegreen(site, 12),
        "blue/green of 1",
        lambda: _bluegreen(site, 1),
        rounds=3,
        goal=1.3,
    )


def _floor(site: Site, name: str) -> float:
    """One PUT, and the same desired state again every 1.05 s, until the new text runs."""
    target = replace(site.target("web", 1), names=(name,))
    cluster = site.cluster
    began = nudged = cluster.clock()
    cluster.fleet.put(name, target.file, DesiredState.LAUNCHED)
    while not site.active(target.names, target.unit_hash):
        if cluster.clock() - nudged >= _NUDGE_SEC:
            nudged = cluster.clock()
            cluster.fleet.set_desired(name, DesiredState.LAUNCHED)
        cluster.sleep(_POLL_SEC)
    return cluster.clock() - began


def _by_fleetctl(site: Site, name: str) -> float:
    """What an operator does: a file on a machine, ``start --replace``, then polling until it runs."""
    target, file = site.target("web", 1), f"/tmp/{name}"  # noqa: S108  on the cluster's machine
    machine = site.stack.containers()["m1"]
    machine.exec_run(["sh", "-c", 'printf "%s" "$1" > "$2"', "write", target.file.text, file])

    def act() -> None:
        code, output = machine.exec_run(["/opt/bin/fleetctl", "start", "--replace", "--no-block", file])
        assert code == 0, output
        stored = site.cluster.fleet.unit(name)
        assert stored is not None
        while not site.active([name], stored.unit_hash):
            site.cluster.sleep(_POLL_SEC)

    return seconds(act)


def _bluegreen(site: Site, instances: int) -> float:
    """Replace the running generation by a new one."""
    service = f"colour{instances}"
    old = site.target(service, instances, generation=True)
    site.install(old)
    new = site.target(service, instances, generation=True)
    policy = Policy(min_healthy_sec=0, first_alone=False)
    took = seconds(lambda: replace_generation(Driver(site.cluster), new, policy, 0, site.cluster.snapshot()))
    site.clear(service, new.names)
    return took
