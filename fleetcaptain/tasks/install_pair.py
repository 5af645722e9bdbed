"""Installs the two units of a periodic task."""

from __future__ import annotations

from collections.abc import Callable

from fleetcaptain.errors import FleetCaptainError, Interrupted, Locked, RolloutFailed, RolloutMixed
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import Snapshot, observe
from fleetcaptain.rollout.ownership import refuse_foreign
from fleetcaptain.rollout.preflight import no_place
from fleetcaptain.tasks.periodic_pair import INSTALLED, PeriodicPair, pair_state
from fleetcaptain.tasks.run_task import LOST_SEC
from fleetcaptain.tasks.task_lock import task_locked
from fleetcaptain.tasks.task_run import RunState
from fleetcaptain.tasks.task_store import TaskStore

__all__ = ["install_pair"]

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
    others; RolloutFailed when no machine can have the pair or the timer does not begin, and the pair that worked before
    is back; RolloutMixed when that is not back; Interrupted when *stopping* returns true, and Locked when another
    deployment changes the pair.
    """
    with task_locked(cluster, pair.name, report, stopping) as fenced:
        _install(fenced, pair, report, stopping)


def _install(cluster: Cluster, pair: PeriodicPair, report: Callable[[str], None], stopping: Callable[[], bool]) -> None:
    service, timer = pair.units
    before = cluster.snapshot()
    refuse_foreign(cluster.ownership, Target(pair.name, pair.units, pair.service), before)
    if pair_state(pair, before) == INSTALLED:
        return
    why = no_place(Target(pair.name, (service,), pair.service), before)
    if why:
        raise RolloutFailed(f"Cannot install the periodic task {pair.name}: {why}. Nothing was changed.")
    runs = _Runs(cluster, pair, before, report, stopping)
    if service in before.units:
        runs.await_end()
    if timer in before.units:
        try:
            _turn_off(cluster, pair)
            # One that the timer started in the meantime.
            runs.await_end()
        except (Interrupted, RolloutFailed):
            if before.units[timer].desired == DesiredState.LAUNCHED:
                cluster.set_desired_state(timer, DesiredState.LAUNCHED)
            raise
    old = _working(pair, before)
    try:
        _start(cluster, pair, report)
    except RolloutFailed as error:
        # One that slept may wake after another deployment put newer units.
        if old is None or not _between(old, pair, cluster.snapshot()):
            raise
        _put_back(cluster, old, report, error)


def _turn_off(cluster: Cluster, pair: PeriodicPair) -> None:
    timer = pair.units[1]
    cluster.set_desired_state(timer, DesiredState.LOADED)
    _await(cluster, pair, lambda now: _is_off(observe(timer, now)), f"{timer} did not stop")


def _start(cluster: Cluster, pair: PeriodicPair, report: Callable[[str], None]) -> None:
    """Put both units. The timer is off, or not there."""
    service, timer = pair.units
    report(f"installing {service}")
    cluster.put(service, pair.service, DesiredState.LOADED)
    expected = pair.service.unit_hash
    _await(cluster, pair, lambda now: observe(service, now).running == expected, f"no machine loaded {service}")
    report(f"starting {timer}")
    cluster.put(timer, pair.timer)
    _await(cluster, pair, lambda now: _waits(pair, now), f"{timer} did not start")


def _working(pair: PeriodicPair, snapshot: Snapshot) -> PeriodicPair | None:
    """The pair on the cluster that *pair* replaces, if its timer waits for its next moment."""
    service, timer = (snapshot.units.get(name) for name in pair.units)
    if service is None or timer is None:
        return None
    found = PeriodicPair(pair.name, service.file, timer.file)
    return found if pair_state(found, snapshot) == INSTALLED else None


def _between(old: PeriodicPair, new: PeriodicPair, snapshot: Snapshot) -> bool:
    """Whether the units are those of a replacement of *old* by *new* that did not end."""
    service, timer = (observe(name, snapshot).unit_hash for name in new.units)
    return service == new.service.unit_hash and timer in (old.timer.unit_hash, new.timer.unit_hash)


def _put_back(cluster: Cluster, old: PeriodicPair, report: Callable[[str], None], error: RolloutFailed) -> None:
    """Put *old* back after *error*. Raises *error*, with what is on the cluster now."""
    report(f"putting the old units of {old.name} back")
    try:
        _turn_off(cluster, old)
        _start(cluster, old, report)
    except FleetCaptainError as second:
        raise RolloutMixed(f"{error}\nIts old units could not be put back: {second}") from second
    raise RolloutFailed(f"{error}\nIts old units are back.") from error


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


class _Runs:
    """The runs by the units that *pair* replaces, which are as in *before*."""

    def __init__(
        self,
        cluster: Cluster,
        pair: PeriodicPair,
        before: Snapshot,
        report: Callable[[str], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._cluster, self._pair, self._report, self._stopping = cluster, pair, report, stopping
        self._store = TaskStore(cluster.store, cluster.app, pair.name)
        self._texts = self._texts_in(before)
        self._lost = -1  # the claim that was waited for in vain, once

    def await_end(self) -> None:
        """Wait until no run goes on: none has a claim that its machine renews, and none is about to have one, as while
        its machine pulls the image. Raises Interrupted on request, and Locked when another deployment changed the units
        during the wait."""
        claim, since, reported = -1, self._cluster.clock(), ""
        while True:
            index, asked = self._claim()
            if index != claim:
                claim, since = index, self._cluster.clock()
            elif claim >= 0 and self._cluster.clock() - since > LOST_SEC:
                self._lost = claim
            snapshot = self._cluster.snapshot()
            is_claimed = claim not in (-1, self._lost)
            if not is_claimed and observe(self._pair.units[0], snapshot).active != "activating":
                break
            line = f"waiting for the end of the run that began at {asked}" if is_claimed else "waiting for a run"
            if line != reported:
                self._report(line)
                reported = line
            if self._stopping():
                raise Interrupted(f"The periodic task {self._pair.name} still has its old text: a run of it goes on.")
            self._cluster.sleep(_TICK_SEC)
        if self._texts_in(snapshot) != self._texts:
            raise Locked(
                f"Another deployment changed the periodic task {self._pair.name} while this one waited for the end of "
                "a run. This one changes nothing more. Run the same command again."
            )

    def _claim(self) -> tuple[int, str]:
        """The index of the claim of a run in the journal, and when the run began; -1 if there is none."""
        node, run = self._store.last()
        if node is None or run is None or (run.state, run.unit) != (RunState.RUNNING, self._pair.units[0]):
            return -1, ""
        return node.index, run.asked

    def _texts_in(self, snapshot: Snapshot) -> dict[str, str]:
        return {name: snapshot.units[name].unit_hash for name in self._pair.units if name in snapshot.units}
