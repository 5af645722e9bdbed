"""The cost of the machine agent on machines with many units, and the time until a dead machine is out of discovery."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.bench_cluster import APP, Site
from bench.harness import Row, counted
from fleetcaptain.discovery.keys import machines_dir, services_dir
from tests.faults.machine_faults import machines, run_on, until

__all__ = ["rows"]

_UNITS = (50, 200)
# Each registration is renewed once in this time.
_WATCHED_SEC = 300.0
_KEYS = f"http://127.0.0.1:2379/v2/keys/fleetcaptain/{APP}"
_CGROUP = f"/sys/fs/cgroup/system.slice/{APP}-agent.service/cpu.stat"
# The beacon of version 0.2.0 with 50 units: each renewed three times a minute, and the processor seconds that it used.
_BEACON_WRITES, _BEACON_CPU = 150.0, 1.19


def rows(site: Site) -> Iterator[Row]:
    """Etcd writes and processor time in a minute, with 1, 50 and 200 units a machine."""
    yield _dead(site)
    few = _watched(site)
    for units in _UNITS:
        target = site.target(f"many{units}", 3 * units)
        site.install(target)
        site.cluster.sleep(30)  # the agents have read what was registered
        many = _watched(site)
        writes, cost = f"etcd writes of an agent a minute, {units} units", f"its processor time a minute, {units} units"
        yield counted(writes, [many.writes], "1 unit on one of three machines", [few.writes], unit="/min")
        yield counted(cost, [many.used], "1 unit", [few.used], unit="s/min")
        if units == _UNITS[0]:
            before = "the beacon of 0.2.0"
            yield counted(writes, [many.writes], before, [_BEACON_WRITES], unit="/min")
            yield counted(cost, [many.used], before, [_BEACON_CPU], unit="s/min")
        site.clear(target.service, target.names)


def _dead(site: Site) -> Row:
    """How soon the registrations of a machine that dies are gone, and fleet has given it up."""
    target = site.target("spread", 9)
    site.install(target)
    there = machines(site.stack)
    lost = run_on(there["m3"], "cat", "/etc/machine-id").strip()
    until(lambda: lost in _registrations(there["m1"]), "the machine has registrations")
    there["m3"].kill()
    gone = until(lambda: lost not in _registrations(there["m1"]), "its registrations are gone")
    given_up = gone + until(lambda: len(site.cluster.snapshot().machines) == 2, "fleet has given it up")  # noqa: PLR2004
    there["m3"].start()
    until(lambda: len(site.cluster.snapshot().machines) == 3, "it is back")  # noqa: PLR2004
    site.clear(target.service, target.names)
    return counted("a dead machine is out of discovery", [gone], "fleet gives it up", [given_up])


def _registrations(machine: Any) -> str:
    return run_on(machine, "curl", "-s", f"{_KEYS}/services?recursive=true")


@dataclass(frozen=True)
class Watched:
    """A minute of one machine: the agent's *writes* to etcd, and the processor seconds that it *used*."""

    writes: float
    used: float


def _watched(site: Site) -> Watched:
    """Each write of a key changes its index. The agents write a key every four seconds at most."""
    indexes: set[tuple[str, int]] = set()
    directories = (services_dir(APP), machines_dir(APP))
    used, until_sec = _used(site), site.cluster.clock() + _WATCHED_SEC
    first = {(node.key, node.index) for directory in directories for node in site.cluster.store.below(directory)}
    while site.cluster.clock() < until_sec:
        site.cluster.sleep(1)
        indexes |= {(node.key, node.index) for directory in directories for node in site.cluster.store.below(directory)}
    minutes = _WATCHED_SEC / 60
    return Watched(len(indexes - first) / minutes / len(machines(site.stack)), (_used(site) - used) / minutes)


def _used(site: Site) -> float:
    """The processor seconds of the agent of one machine since it started."""
    found = re.search(r"usage_usec (\d+)", run_on(machines(site.stack)["m1"], "cat", _CGROUP))
    assert found
    return int(found[1]) / 1e6
