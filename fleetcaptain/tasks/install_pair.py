"""Installs and removes the two units of a periodic task."""

from __future__ import annotations

from collections.abc import Callable

from fleetcaptain.errors import Interrupted, RolloutFailed
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.rollout.ownership import refuse_foreign
from fleetcaptain.rollout.preflight import no_place
from fleetcaptain.tasks.periodic_pair import INSTALLED, PeriodicPair, pair_state
from fleetcaptain.tasks.run_task import LOST_SEC
from fleetcaptain.tasks.task_run import RunState
from fleetcaptain.tasks.task_store import TaskStore
from fleetcaptain.units.names import periodic_units

__all__ = ["install_pair", "remove_pair"]

_TICK_SEC = 1.0
_STEP_SEC = 150.0


def install_pair(
    cluster: Cluster,
    pair: PeriodicPair,
    report: Callable[[str], None],
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Bring *pair* onto the cluster. The task does not run by that. A run that goes on ends first.

    The timer is off while its service changes: it would fail for good without one. Raises UnitRefused for units of
    others, RolloutFailed when no machine can have the pair or the timer does not begin, Interrupted when *stopping*
    returns true.
    """
    service, timer = pair.units
    snapshot = cluster.snapshot()
    refuse_foreign(cluster.ownership, Target(pair.name, pair.units, pair.service), snapshot)
    if pair_state(pair, snapshot) == INSTALLED:
        return
    why = no_place(Target(pair.name, (service,), pair.service), snapshot)
    if why:
        raise RolloutFailed(f"Cannot install the periodic task {pair.name}: {why}. Nothing was changed.")
    if service in snapshot.units:
        _await_end(cluster, pair, report, stopping)
    if timer in snapshot.units:
        cluster.set_desired_state(timer, DesiredState.LOADED)
        _await(cluster, pair, lambda now: _is_off(observe(timer, now)), f"{timer} did not stop")
        # One that the timer started in the meantime.
        _await_end(cluster, pair, report, lambda: False)
    report(f"installing {service}")
    cluster.put(service, pair.service, DesiredState.LOADED)
    expected = pair.service.unit_hash
    _await(cluster, pair, lambda now: observe(service, now).running == expected, f"no machine loaded {service}")
    report(f"starting {timer}")
    cluster.put(timer, pair.timer)
    _await(cluster, pair, lambda now: _waits(pair, now), f"{timer} did not start")


def remove_pair(cluster: Cluster, name: str) -> None:
    """Remove the units of the periodic task *name* that are ours, the timer first. Its machine stops a run that goes
    on; the journal stays."""
    units = cluster.snapshot().units
    for unit in reversed(periodic_units(name)):
        if unit in units and cluster.ownership.owns(unit, units[unit].mark):
            cluster.delete(unit)


def _is_off(timer: Instance) -> bool:
    """Whether fleet has stopped it. If it is to be launched again before that, fleet does nothing."""
    return timer.active != "active" and timer.current != DesiredState.LAUNCHED


def _waits(pair: PeriodicPair, snapshot: Snapshot) -> bool:
    timer = observe(pair.units[1], snapshot)
    return timer.running == pair.timer.unit_hash and timer.active == "active"


def _await(cluster: Cluster, pair: PeriodicPair, holds: Callable[[Snapshot], bool], failure: str) -> None:
    begun = cluster.clock()
    while not holds(snapshot := cluster.snapshot()):
        if cluster.clock() - begun > _STEP_SEC:
            timer = observe(pair.units[1], snapshot)
            lines = "".join(f"\n  {line}" for line in cluster.journal(timer))
            raise RolloutFailed(
                f"Failed to install the periodic task {pair.name}: {failure} within {_STEP_SEC:.0f} s. "
                f"`captain doctor` examines the machines; then run `pulumi up`, which continues.{lines}"
            )
        cluster.sleep(_TICK_SEC)


def _await_end(
    cluster: Cluster, pair: PeriodicPair, report: Callable[[str], None], stopping: Callable[[], bool]
) -> None:
    """Wait for the end of a run by the pair's service, unless its claim is lost."""
    store, index, since = TaskStore(cluster.store, cluster.app, pair.name), -1, cluster.clock()
    while True:
        node, run = store.last()
        if node is None or run is None or (run.state, run.unit) != (RunState.RUNNING, pair.units[0]):
            return
        if node.index != index:
            if index < 0:
                report(f"waiting for the end of the run that began at {run.asked}")
            index, since = node.index, cluster.clock()
        elif cluster.clock() - since > LOST_SEC:
            return
        if stopping():
            raise Interrupted(f"The periodic task {pair.name} still has its old text: a run of it goes on.")
        cluster.sleep(_TICK_SEC)
