"""The cost of etcd's authentication: two clusters with no other difference, measured in turns."""

from __future__ import annotations

from collections.abc import Iterator

from bench.bench_cluster import APP, Site, site
from bench.harness import Row, compared, counted, seconds
from fleetcaptain.discovery.keys import services_dir
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.strategies.rolling import roll

__all__ = ["rows"]

_READS = 50
_WATCHED_SEC = 60.0
_OPEN = "without TLS and authentication"
# Reads the whole directory of an app from a machine's own port, as a container does, a given number of times.
_LOOKUPS = 'i=0; while [ $i -lt "$1" ]; do i=$((i+1)); curl -sf -o /dev/null "$2" || exit 1; done'
_PROCESSOR = "cat /proc/$(systemctl show -P MainPID etcd.service)/stat; getconf CLK_TCK"


def rows() -> Iterator[Row]:
    """All of them."""
    with site("bench-secured") as secured, site("bench-open", tls="false") as open_:
        both = (secured, open_)
        targets = [there.target("web", 4) for there in both]
        for there, target in zip(both, targets, strict=True):
            there.install(target)
        what = "replacing 4 instances one by one, bake 0, etcd with authentication"
        yield compared(what, lambda: _replaced(secured), _OPEN, lambda: _replaced(open_), rounds=5)
        what = f"{_READS} lookups of the app on a machine, etcd with authentication"
        yield compared(what, lambda: _looked_up(secured), _OPEN, lambda: _looked_up(open_), rounds=9)
        what = f"{_READS} writes by the deployer, through ssh, etcd with authentication"
        yield compared(what, lambda: _written(secured), _OPEN, lambda: _written(open_), rounds=5)
        at_rest = [_processor(there) for there in both]
        secured.cluster.sleep(_WATCHED_SEC)
        used = [_processor(there) - before for there, before in zip(both, at_rest, strict=True)]
        what = "processor time of one etcd a minute, at rest, with authentication"
        yield counted(what, [used[0]], _OPEN, [used[1]], unit="s/min")
        for there, target in zip(both, targets, strict=True):
            there.clear("web", target.names)


def _replaced(there: Site) -> float:
    return seconds(lambda: roll(Driver(there.cluster), there.target("web", 4), Policy(min_healthy_sec=0), True))


def _looked_up(there: Site) -> float:
    url = f"http://127.0.0.1:2379/v2/keys{services_dir(APP)}?recursive=true"
    argv = ["sh", "-c", _LOOKUPS, "sh", str(_READS), url]

    def probe() -> None:
        code, output = there.stack.containers()["m1"].exec_run(argv)
        assert code == 0, output

    return seconds(probe)


def _written(there: Site) -> float:
    def write() -> None:
        for _ in range(_READS):
            there.cluster.store.write("/fleetcaptain/bench/probe", "1")

    return seconds(write)


def _processor(there: Site) -> float:
    """The processor seconds of the etcd of one machine (proc(5), utime and stime)."""
    _, output = there.stack.containers()["m1"].exec_run(["sh", "-c", _PROCESSOR])
    *fields, ticks = output.decode().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / int(ticks)
