"""Runs a task, or follows its run: from the journal's state at each step, so that any deployment can continue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fleetcaptain.discovery.etcd_node import Node
from fleetcaptain.errors import FleetCaptainError, Interrupted, Locked, RolloutFailed
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.lock import this_process
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.observe import observe
from fleetcaptain.rollout.preflight import no_place
from fleetcaptain.tasks.decision import Failed, Finished, Follow, Start, Superseded, WaitFor, decide
from fleetcaptain.tasks.task_output import Output, failure
from fleetcaptain.tasks.task_run import RunState, TaskRun, wanted_run
from fleetcaptain.tasks.task_store import TaskStore
from fleetcaptain.tasks.task_units import clear_units
from fleetcaptain.units.render_task import PULL_SEC
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["LOST_SEC", "run_task"]

LOST_SEC = 180.0
"""A claim that was not renewed for so long is lost: its machine ended, or stopped the container a minute ago (see
``TASK_ALONE_SEC`` in tasks.sh)."""
_TICK_SEC = 1.0
_LOOK_SEC = 5.0
# The unit has to be placed, its image pulled, and etcd may need a new leader.
_BEGIN_SEC = PULL_SEC + 300.0
_ENDED_LOOKS = 3


def run_task(
    cluster: Cluster,
    name: str,
    file: UnitFile,
    report: Callable[[str], None],
    stopping: Callable[[], bool] = lambda: False,
) -> TaskRun:
    """The successful run of the task *name* by the unit *file*: an earlier one, the one that runs, or a new one.

    Raises RolloutFailed when it ends without success, or its result is unknown; Interrupted when *stopping* returns
    true, while a run that began goes on; Locked when another deployment wants a run of another text.
    """
    runner = _Runner(cluster, TaskStore(cluster.store, cluster.app, name), file, report)
    while (ended := runner.step(stopping)) is None:
        cluster.sleep(_TICK_SEC)
    return ended


class _Runner:
    """One deployment's view of a task: the unit of the run that it *followed*, that of another text's run that it is
    *waiting for*, since when nothing has changed, and the *addresses* of machines by their ids."""

    def __init__(self, cluster: Cluster, store: TaskStore, file: UnitFile, report: Callable[[str], None]) -> None:
        self._cluster, self._store, self._file, self._report = cluster, store, file, report
        self._output = Output(report)
        self._followed, self._waiting_for = "", ""
        self._addresses: dict[str, str] = {}
        self._index, self._since = -1, cluster.clock()
        self._begun, self._looked, self._ended_looks = cluster.clock(), 0.0, 0

    def step(self, stopping: Callable[[], bool]) -> TaskRun | None:
        """One decision, and what follows from it; the run once it was successful."""
        node, last = self._store.last()
        replaced = last is not None and last.state is RunState.WANTED and last.unit_hash != self._file.unit_hash
        known = last is None or replaced or not last.is_active
        result = self._store.result(self._file.unit_hash) if known else None
        match decide(last, result, self._file.unit_hash, self._followed):
            case Finished(run):
                # A run of another text must not begin now: of a deployment that was killed, and is not continued.
                if replaced and not self._followed and not self._store.change(node, run):
                    return None
                self._output.show(run) if self._followed else self._report(f"it has run already, at {run.until}")
                self._store.keep(run)
                clear_units(self._cluster, self._store.name)
                return run
            case Failed(run):
                self._output.show(run)
                clear_units(self._cluster, self._store.name)
                raise RolloutFailed(failure(self._store.name, run, self._address(run.machine)))
            case Superseded(run):
                raise Locked(
                    f"{run.who} deploys another text of the task {self._store.name}, which replaced this one before it "
                    "began. Wait until that is done, then run the same command again."
                )
            case Start(before):
                if stopping():
                    raise Interrupted(f"The task {self._store.name} did not begin. Nothing was changed.")
                self._start(node, before)
            case WaitFor(run):
                if run.unit != self._waiting_for:
                    self._waiting_for = run.unit
                    self._report(f"waiting for the end of another run, which {run.who} began at {run.asked}")
                self._watch(node, run, stopping)
            case Follow(run):
                self._follow(run)
                self._watch(node, run, stopping)
        return None

    def _start(self, node: Node | None, before: TaskRun | None) -> None:
        name = self._store.name
        owner = this_process()
        run = wanted_run(name, self._file.unit_hash, owner.token[:8], owner.who, owner.since)
        why = no_place(Target(name, (run.unit,), self._file), self._cluster.snapshot())
        if why:
            raise RolloutFailed(f"Cannot run the task {name}: {why}. Nothing was changed.")
        if before is not None:
            self._store.keep(before)
        if self._store.change(node, run):
            if before is not None and before.state is not RunState.DONE:
                self._report(f"the run before, which {before.who} began at {before.asked}: {before.state}")
            self._follow(run)

    def _follow(self, run: TaskRun) -> None:
        """Launch the unit of a wanted run, also of another deployment, which may have been killed before."""
        if run.unit != self._followed:
            self._followed = run.unit
            self._begun, self._looked, self._ended_looks = self._cluster.clock(), self._cluster.clock(), 0
            if run.state is RunState.WANTED:
                self._cluster.put(run.unit, self._file)
                self._report(f"starting {run.unit}")
            else:
                self._report(f"following {run.unit}, which {run.who} began at {run.asked}")

    def _watch(self, node: Node | None, run: TaskRun, stopping: Callable[[], bool]) -> None:
        if node is None:
            return
        if run.unit == self._followed:
            self._output.show(run)
        if node.index != self._index:
            self._index, self._since = node.index, self._cluster.clock()
        if run.state is RunState.RUNNING:
            # When the machine ends, fleet does not know its address any more.
            if run.machine not in self._addresses:
                self._address(run.machine)
            if stopping():
                raise Interrupted(
                    f"The task {self._store.name} continues on {self._address(run.machine)}. The next `pulumi up` "
                    "follows it, and continues with its result."
                )
            if self._cluster.clock() - self._since > LOST_SEC:
                # From here on its machine cannot write a result. It stopped the container by itself a minute ago.
                lost = replace(run, state=RunState.UNKNOWN, reason="lost")
                if self._store.change(node, lost):
                    clear_units(self._cluster, self._store.name)
                    raise RolloutFailed(failure(self._store.name, lost, self._address(run.machine)))
        elif stopping():
            self._withdraw(node, run, Interrupted(f"The task {self._store.name} did not begin."))
        else:
            self._check_begin(node, run)

    def _check_begin(self, node: Node, run: TaskRun) -> None:
        """Withdraw a run whose unit cannot begin it."""
        clock = self._cluster.clock()
        if clock - self._begun > _BEGIN_SEC:
            self._withdraw(node, run, RolloutFailed(self._no_begin(f"its unit needed more than {_BEGIN_SEC:.0f} s")))
        if clock - self._looked < _LOOK_SEC:
            return
        self._looked = clock
        instance = observe(run.unit, self._cluster.snapshot())
        self._report(f"waiting for {run.unit} to begin on {instance.machine or 'a machine'}")
        self._ended_looks = self._ended_looks + 1 if instance.halted or instance.active == "failed" else 0
        if self._ended_looks >= _ENDED_LOOKS:
            lines = "\n  ".join(self._cluster.journal(instance))
            why = f"its unit ended on {instance.machine} before it ran the command:\n  {lines}"
            self._withdraw(node, run, RolloutFailed(self._no_begin(why)))

    def _no_begin(self, why: str) -> str:
        name = self._store.name
        return f"The task {name} did not begin, and no service that comes after it was changed: {why}"

    def _withdraw(self, node: Node, run: TaskRun, error: FleetCaptainError) -> None:
        """Take a wanted run back and raise *error*, unless its machine claimed it at the same time."""
        if self._store.change(node, replace(run, state=RunState.FAILED, reason="withdrawn")):
            clear_units(self._cluster, self._store.name)
            raise error

    def _address(self, machine: str) -> str:
        found = self._cluster.snapshot().machines.get(machine)
        if found:
            self._addresses[machine] = found.ip
        return self._addresses.get(machine) or machine or "its machine"
