"""Taking units away: stop first, delete when dead. fleet's own DELETE forgets the unit's stop time-out, and says
"gone" while the process still runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.fleet.values import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.instance import Instance
from fleetcaptain.rollout.observed import Snapshot, observe
from fleetcaptain.rollout.ownership import foreign
from fleetcaptain.rollout.poller import TICK_SEC
from fleetcaptain.units.beacon import beacon_name

__all__ = ["Step", "patience", "remove", "step"]

# What fleet and systemd need beside the stop itself.
_MARGIN_SEC = 100.0


class Step(Enum):
    """What removing an instance needs next."""

    STOP = "stop"
    DELETE = "delete"
    WAIT = "wait"
    NOTHING = "nothing"


def step(instance: Instance) -> Step:
    """The next step of removing *instance*."""
    if instance.gone:
        return Step.NOTHING
    if instance.content is None:
        return Step.WAIT
    if instance.stopped:
        return Step.DELETE
    return Step.STOP if instance.desired == DesiredState.LAUNCHED else Step.WAIT


def remove(
    cluster: Cluster,
    service: str,
    names: Iterable[str],
    report: Callable[[str], None] = lambda _line: None,
) -> None:
    """Remove units and their registrations, all side by side, and return when fleet and systemd know them no more.
    *service* is empty for units without a mark, which have no registrations.

    One that is not ours, by its mark at each step, is left, with its registration. Raises DeadlineExceeded, naming what
    is left, when that takes longer than their stops may (see `patience`).
    """
    names = tuple(names)
    began = acted = cluster.clock()
    timeout_sec = 0.0
    while True:
        snapshot = cluster.look(acted)
        timeout_sec = max(timeout_sec, patience(names, snapshot))
        others = foreign(cluster.ownership, names, snapshot.units)
        observed = {name: observe(name, snapshot) for name in names if name not in others}
        steps = {name: step(instance) for name, instance in observed.items()}
        left = [name for name, next_step in steps.items() if next_step is not Step.NOTHING]
        if not left:
            break
        if cluster.clock() - began > timeout_sec:
            raise DeadlineExceeded(
                f"{', '.join(left)} did not go away within {timeout_sec:.0f} s. Look at them on their machines with "
                "`systemctl status`, then run the same command again."
            )
        report(f"removing {', '.join(left)}")
        for name in left:
            if steps[name] is Step.STOP:
                cluster.ask(name, DesiredState.LOADED)
            elif steps[name] is Step.DELETE:
                cluster.delete(name)
        if Step.STOP in steps.values() or Step.DELETE in steps.values():
            acted = cluster.clock()
        _wake(cluster, observed, snapshot)
        cluster.sleep(TICK_SEC)
    for name in observed if service else ():
        cluster.unregister(service, name)


def patience(names: Iterable[str], snapshot: Snapshot) -> float:
    """How many seconds the removal of the units *names* may take: as long as the longest of their stops, and more."""
    limits = (snapshot.units[name].file.stop_limit_sec for name in names if name in snapshot.units)
    return max(limits, default=0) + _MARGIN_SEC


def _wake(cluster: Cluster, observed: Mapping[str, Instance], snapshot: Snapshot) -> None:
    """Nudge fleet's agents by a unit that stops, or by the app's beacon when all are deleted: a DELETE wakes nobody."""
    stopping = [name for name, instance in observed.items() if step(instance) is Step.WAIT and instance.content]
    beacon = beacon_name(cluster.app)
    if stopping:
        cluster.nudge(stopping[0], DesiredState.LOADED)
    elif beacon in snapshot.units and beacon not in observed:
        cluster.nudge(beacon, DesiredState.LAUNCHED)
