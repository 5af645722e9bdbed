"""Opening a window with instances that wait, against creating them; and what an agent writes while no window is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from bench.bench_cluster import APP, Site
from bench.harness import Row, compared, counted, seconds
from fleetcaptain.discovery.keys import service_windows_dir, window_plan_key
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.model import Target
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.schedule.window_plan import plan_of
from tests.faults.machine_faults import etcd_answer, machines

__all__ = ["rows"]

_FOUR, _TWELVE = 4, 12
_WATCHED_SEC = 300.0
_FAR = WindowSpec("far", _TWELVE, 12 * 60, 13 * 60, (), (date(2100, 1, 1),), "UTC")


def rows(site: Site) -> Iterator[Row]:
    """Both."""
    target = site.target("warm", _TWELVE)
    site.install(target)
    yield compared(
        "a window from 4 to 12 instances that wait",
        lambda: _opened(site, target),
        "creating 8 instances",
        lambda: _created(site, target),
        rounds=3,
        goal=0.5,
    )
    site.clear("warm", target.names)
    without = _writes(site)
    plan = plan_of("probe@%.service", _FOUR, [_FAR], 180, int(site.cluster.wall_clock()))
    site.cluster.store.write(window_plan_key(APP, "probe"), plan.to_text())
    yield counted(
        "etcd writes a minute, a window that is not due", [_writes(site)], "no window", [without], unit="/min"
    )
    site.cluster.store.delete(service_windows_dir(APP, "probe"), recursive=True)


def _opened(site: Site, target: Target) -> float:
    """One write for each of eight units that fleet has loaded, and the last one again after a second, as a machine
    agent does: fleet's agents are deaf for a second after the first."""
    extra = target.names[_FOUR:]
    for name in extra:
        site.cluster.fleet.set_desired(name, DesiredState.LOADED)
    while any(state.active == "active" for state in site.cluster.fleet.states() if state.name in extra):
        site.cluster.sleep(0.2)

    def act() -> None:
        for name in extra:
            site.cluster.fleet.set_desired(name, DesiredState.LAUNCHED)
        site.cluster.sleep(1)
        site.cluster.fleet.set_desired(extra[-1], DesiredState.LAUNCHED)
        while not site.active(extra, target.unit_hash):
            site.cluster.sleep(0.2)

    return seconds(act)


def _created(site: Site, target: Target) -> float:
    """Eight units that fleet does not have."""
    extra = target.names[_FOUR:]
    site.clear("warm", extra)

    def act() -> None:
        for name in extra:
            site.cluster.fleet.put(name, target.file, DesiredState.LAUNCHED)
        while not site.active(extra, target.unit_hash):
            site.cluster.sleep(0.2)

    return seconds(act)


def _writes(site: Site) -> float:
    """All successful writes to etcd in a minute, fleet's own too."""

    def count() -> int:
        stats = etcd_answer(machines(site.stack)["m1"], "stats/store")
        return sum(number for name, number in stats.items() if name.endswith("Success") and not name.startswith("gets"))

    site.cluster.sleep(30)  # what was removed before has settled
    before = count()
    site.cluster.sleep(_WATCHED_SEC)
    return (count() - before) / (_WATCHED_SEC / 60)
