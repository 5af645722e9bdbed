"""Takes the instances off a machine, one at a time by each service's own rules, and lets none come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from fleetcaptain.errors import DeadlineExceeded, FleetCaptainError, RolloutFailed, with_more
from fleetcaptain.fleet.entities import DesiredState, Machine, UnitEntity
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.cordon import conflicts_on, cordon_files, cordon_service, on_machine
from fleetcaptain.rollout.journal import guarded
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.placement import admitted
from fleetcaptain.rollout.rebalance import placement_of
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.report import explain
from fleetcaptain.rollout.strategies.moving import MoveDriver
from fleetcaptain.rollout.strategies.restart import refuse_changed, services_on, to_restart

__all__ = ["close", "evacuate", "reopen"]

_PLACED_SEC = 60.0
_LOOK_SEC = 0.5


@dataclass(frozen=True)
class EvacuationDriver(MoveDriver):
    """Closes the machine to a unit that has left it before fleet looks for another one. *closing* does so."""

    closing: Callable[[], None] = field(default=lambda: None)

    def start(self, name: str, target: Target) -> None:
        """Stop the unit; or close the machine to it and start it."""
        if name not in self.pending:
            self.closing()
        super().start(name, target)


def close(cluster: Cluster, machine: Machine) -> None:
    """Let fleet place no unit on *machine* that is not there now. Raises DeadlineExceeded."""
    began = cluster.clock()
    snapshot = cluster.snapshot()
    files = cordon_files(cluster.ownership, machine, conflicts_on(snapshot, machine.id))
    for name, file in files.items():
        unit = snapshot.units.get(name)
        if unit is None or unit.unit_hash != file.unit_hash or unit.desired != "launched":
            cluster.put(name, file)
    while any(name not in snapshot.units or snapshot.units[name].machine_id != machine.id for name in files):
        if cluster.clock() - began > _PLACED_SEC:
            raise DeadlineExceeded(
                f"fleet did not place {', '.join(files)} on {machine.ip} within {_PLACED_SEC:.0f} s. Check the machine "
                "with `captain doctor`."
            )
        cluster.sleep(_LOOK_SEC)
        snapshot = cluster.snapshot()


def reopen(cluster: Cluster, machine: Machine, report: Callable[[str], None]) -> bool:
    """Let fleet place units on *machine* again. Returns whether it did not before."""
    names = [name for name in cordon_files(cluster.ownership, machine, ()) if name in cluster.snapshot().units]
    # The one with the conflicts first: it is bound to the other one.
    remove(cluster, cordon_service(machine.id), reversed(names), report)
    return bool(names)


def evacuate(
    cluster: Cluster,
    machine: Machine,
    policy_of: Callable[[Target], Policy],
    report: Callable[[str], None],
    *,
    with_outage: bool = False,
) -> tuple[list[str], dict[str, str]]:
    """Close *machine* and move the instances of the app off it. Returns the units that moved, and the units that are
    still there with the reason. *with_outage*: move the only instance of a service too.

    Raises RolloutFailed when a moved instance does not become healthy. After an error the machine stays closed, and
    the message says so.
    """
    closing = guarded(cluster, cordon_service(machine.id), "", report, strategy="maintenance")
    with closing as (fenced, snapshot), _naming_the_end(machine):
        close(fenced, machine)
    with _naming_the_end(machine):
        return _emptied(cluster, machine, snapshot, policy_of, report, with_outage=with_outage)


@contextmanager
def _naming_the_end(machine: Machine) -> Iterator[None]:
    """Say in each error that the machine stays closed, and how that ends."""
    try:
        yield
    except FleetCaptainError as error:
        raise with_more(
            error,
            f"{machine.ip} stays in maintenance: fleet places nothing new on it. To continue, run the same command "
            f"again; to end it, run `captain maintenance off {machine.ip}`.",
        ) from error


def _emptied(
    cluster: Cluster,
    machine: Machine,
    snapshot: Snapshot,
    policy_of: Callable[[Target], Policy],
    report: Callable[[str], None],
    *,
    with_outage: bool,
) -> tuple[list[str], dict[str, str]]:
    moved: list[str] = []
    stays: dict[str, str] = {}
    for service in services_on(cluster.ownership, snapshot):
        target = to_restart(cluster.ownership, service, cluster.snapshot())
        present = cluster.snapshot()
        there = [name for name in target.names if name in on_machine(present, machine.id)]
        halfway = [name for name in target.names if present.units[name].desired != DesiredState.LAUNCHED]
        of_service = instances_of(cluster.ownership, service, present)
        waiting = [name for name in of_service if name in present.waiting and name in on_machine(present, machine.id)]
        if not there and not halfway and not waiting:
            continue
        check = partial(refuse_changed, cluster.ownership, target)
        guard = guarded(cluster, service, target.unit_hash, report, check=check, strategy="maintenance")
        with guard as (fenced, _):
            driver = EvacuationDriver(fenced, report, closing=partial(close, fenced, machine))
            # First, as the driver starts them where they are when their window opens meanwhile.
            stays |= {name: why for name in waiting if (why := _why_stays(name, target, fenced.snapshot(), machine))}
            stays |= _move_waiting(fenced, [name for name in waiting if name not in stays], machine, report)
            moved += [name for name in waiting if name not in stays]
            if halfway:
                _run(driver, target, policy_of(target), machine)
            for name in there:
                why = _why_stays(name, target, fenced.snapshot(), machine, with_outage=with_outage)
                if why:
                    stays[name] = why
                    continue
                report(f"moving {name} off {machine.ip}")
                driver.pending.add(name)
                _run(driver, target, policy_of(target), machine)
                moved.append(name)
    close(cluster, machine)
    latest = cluster.snapshot()
    left = on_machine(latest, machine.id)
    return moved, {name: stays.get(name) or _why_left(cluster, latest.units[name]) for name in left}


def _move_waiting(
    cluster: Cluster, names: Sequence[str], machine: Machine, report: Callable[[str], None]
) -> dict[str, str]:
    """Have fleet place the units *names*, which do not run, on other machines than *machine*. Returns why units stay,
    if it does not: the instances that serve are moved all the same."""
    if not names:
        return {}
    report(f"moving {', '.join(names)}, which wait for a window, off {machine.ip}")
    try:
        for name in names:
            cluster.set_desired_state(name, DesiredState.INACTIVE)
        _wait_for_places(cluster, names, placed=False)
        close(cluster, machine)
        for name in names:
            cluster.set_desired_state(name, DesiredState.LOADED)
        _wait_for_places(cluster, names, placed=True)
    except DeadlineExceeded as error:
        for name in names:
            cluster.set_desired_state(name, DesiredState.LOADED)
        return dict.fromkeys(names, str(error))
    return {}


def _wait_for_places(cluster: Cluster, names: Sequence[str], *, placed: bool) -> None:
    def pending() -> str:
        units = cluster.snapshot().units
        return ", ".join(name for name in names if name in units and (units[name].machine_id is None) is placed)

    def timed_out(left: str) -> DeadlineExceeded:
        did = "place" if placed else "unload"
        return DeadlineExceeded(
            f"fleet did not {did} {left} within {_PLACED_SEC:.0f} s. Check the machines with `captain doctor`."
        )

    cluster.wait(pending, _PLACED_SEC, timed_out, pause_sec=_LOOK_SEC)


def _why_left(cluster: Cluster, unit: UnitEntity) -> str:
    """Why *unit*, which is no instance of a service of ours, stays."""
    if not cluster.ownership.owns(unit.name, unit.mark) or not unit.file.of_task:
        return "it is not of this app and stack"
    if unit.file.periodic:
        return f"it is of the task {unit.file.periodic}: fleet moves a periodic task when the machine ends"
    return f"it runs the task {unit.file.task} of a deployment; wait for its end"


def _run(driver: MoveDriver, target: Target, policy: Policy, machine: Machine) -> None:
    outcome = driver.run(target, policy)
    if outcome.failure is not None:
        raise RolloutFailed(f"{explain(driver.cluster, outcome)}\nThe evacuation of {machine.ip} stopped there.")


def _why_stays(name: str, target: Target, snapshot: Snapshot, machine: Machine, *, with_outage: bool = True) -> str:
    """Why the unit *name* of *target* cannot leave *machine*; "" if it can."""
    placement = placement_of(snapshot, {})
    need = target.file.needs(name)
    if target.file.is_task:
        return "it is a task, which has ended"
    if need.machine_id:
        return "it is bound to this machine"
    if any(name in other.machine_of for other, _ in placement.units.values()):
        return "other units must be on its machine"
    others = {other: placed for other, placed in placement.units.items() if other != name}
    rest = [one for one in snapshot.machines.values() if one.id != machine.id]
    if not any(admitted(need, one, others) for one in rest):
        return "no other machine can take it"
    if len(target.names) == 1 and not with_outage:
        return "it is the only instance of its service, which would be down meanwhile; add --with-outage"
    return ""
