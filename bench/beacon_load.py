"""The cost of the beacon on a machine with many units."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.bench_cluster import Site
from bench.harness import Row, counted

__all__ = ["rows"]

_UNITS = 50
_WATCHED_SEC = 60.0
_KEYS = "http://127.0.0.1:2379/v2/keys/fleetcaptain"
_CGROUP = "/sys/fs/cgroup/system.slice/bench-beacon.service/cpu.stat"


def rows(site: Site) -> Iterator[Row]:
    """Etcd writes and processor time in a minute, with 50 units a machine and with one."""
    few = _watched(site)
    target = site.target("many", 3 * _UNITS)
    site.install(target)
    site.cluster.sleep(_WATCHED_SEC / 2)
    many = _watched(site)
    yield counted("etcd writes a minute, 50 units a machine", [many[0]], "1 unit on one machine", [few[0]], unit="/min")
    yield counted("processor time of one beacon a minute, 50 units", [many[1]], "with 1", [few[1]], unit="s/min")
    site.clear("many", target.names)


def _watched(site: Site) -> tuple[float, float]:
    before = _measure(site)
    site.cluster.sleep(_WATCHED_SEC)
    after = _measure(site)
    return after[0] - before[0], after[1] - before[1]


def _measure(site: Site) -> tuple[float, float]:
    """Etcd's count of changes, and the processor seconds of the beacon of one machine."""
    argv = ["sh", "-c", f"curl -sI -X GET {_KEYS}; cat {_CGROUP}"]
    _, output = site.stack.containers()["m1"].exec_run(argv)
    index, used = (re.search(form, output.decode()) for form in (r"X-Etcd-Index: (\d+)", r"usage_usec (\d+)"))
    assert index, output
    return float(index[1]), int(used[1]) / 1e6 if used else 0.0
