"""The cost of the machine agent on machines with many units, and the time until a dead machine is out of discovery."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.bench_cluster import APP, Site
from bench.harness import Row, counted
from tests.faults.machine_faults import machines, run_on, until

__all__ = ["rows"]

_UNITS = (50, 200)
# Each registration is renewed once in this time.
_WATCHED_SEC = 300.0
_WITHOUT_SEC = 60.0
_KEYS = f"http://127.0.0.1:2379/v2/keys/fleetcaptain/{APP}"
_AGENT = f"{APP}-agent.service"
_CGROUP = f"/sys/fs/cgroup/system.slice/{_AGENT}/cpu.stat"
# Version 0.2.0 with 50 units, measured likewise: writes a minute and machine, and processor seconds of its beacon.
_BEACON_WRITES, _BEACON_CPU = 463.0, 1.19


def rows(site: Site) -> Iterator[Row]:
    """Etcd writes and processor time in a minute, with 1, 50 and 200 units a machine."""
    few = _watched(site)
    for units in _UNITS:
        target = site.target(f"many{units}", 3 * units)
        site.install(target)
        site.cluster.sleep(30)  # the agents have read what was registered
        many = _watched(site)
        writes, cost = f"etcd writes a minute and machine, {units} units", f"processor time a minute, {units} units"
        yield counted(f"{writes}, by the agent", [many.own], "1 unit on one machine", [few.own], unit="/min")
        yield counted(f"{cost}, of the agent", [many.used], "1 unit", [few.used], unit="s/min")
        if units == _UNITS[0]:
            yield counted(
                f"{writes}, with fleet's", [many.all], "with the beacon of 0.2.0", [_BEACON_WRITES], unit="/min"
            )
            yield counted(f"{cost}, of the agent", [many.used], "the beacon of 0.2.0", [_BEACON_CPU], unit="s/min")
        site.clear(target.service, target.names)
    yield _dead(site)


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
    """A minute of one machine: *all* writes to etcd, the agent's *own*, and the processor seconds that it *used*."""

    all: float
    own: float
    used: float


def _watched(site: Site) -> Watched:
    """fleet writes as well, also without the agents."""
    there = list(machines(site.stack).values())
    written, used = _rate(site, _WATCHED_SEC)
    for machine in there:
        run_on(machine, "systemctl", "stop", _AGENT)
    others, _ = _rate(site, _WITHOUT_SEC)
    for machine in there:
        run_on(machine, "systemctl", "start", _AGENT)
    return Watched(written / len(there), (written - others) / len(there), used)


def _rate(site: Site, seconds: float) -> tuple[float, float]:
    before = _measure(site)
    site.cluster.sleep(seconds)
    after = _measure(site)
    return (after[0] - before[0]) * 60 / seconds, (after[1] - before[1]) * 60 / seconds


def _measure(site: Site) -> tuple[float, float]:
    """Etcd's count of changes, and the processor seconds of the agent of one machine."""
    argv = ["sh", "-c", f"curl -sI -X GET {_KEYS}; cat {_CGROUP}"]
    _, output = site.stack.containers()["m1"].exec_run(argv)
    index, used = (re.search(form, output.decode()) for form in (r"X-Etcd-Index: (\d+)", r"usage_usec (\d+)"))
    assert index, output
    return float(index[1]), int(used[1]) / 1e6 if used else 0.0
