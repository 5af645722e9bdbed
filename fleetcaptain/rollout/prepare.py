"""What has to hold before the first instance of a rollout stops: a place for each, and the image on every machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observed import Snapshot, instances_of, observe
from fleetcaptain.rollout.placement import apart, candidates, misplaced
from fleetcaptain.rollout.prepull import pull_everywhere
from fleetcaptain.rollout.values import Target
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["in_the_way", "leaving", "no_place", "prepare"]


def prepare(
    cluster: Cluster,
    snapshot: Snapshot,
    target: Target,
    image: str,
    report: Callable[[str], None],
    *,
    ignored: Collection[str] = (),
) -> None:
    """Raise RolloutFailed when *target* cannot be placed on the cluster of *snapshot* without the units *ignored*, or a
    machine cannot pull its *image*; nothing was touched then. Instances that already run the target's content need
    neither."""
    left = [name for name in target.names if not observe(name, snapshot).healthy(target.content)]
    if not left:
        return
    why = no_place(target, snapshot, ignored)
    if why:
        raise RolloutFailed(f"{target.service}: {why}. Nothing was touched.")
    if image:
        machines = tuple(snapshot.machines.values())
        needs = [target.file.needs(name) for name in left]
        pull_everywhere(cluster, image, [machine.ip for machine in candidates(needs, machines)], report)


def no_place(
    target: Target, snapshot: Snapshot, ignored: Collection[str] = (), planned: Mapping[str, UnitFile] | None = None
) -> str:
    """Why *target* cannot be placed beside all else on the cluster but *ignored*; empty when it can. Pure.

    *planned*: the files that other units are about to get, which count instead of those that they have.
    """
    others = {
        name: ((planned or {}).get(name, unit.file).needs(name), unit.machine_id or "")
        for name, unit in snapshot.units.items()
        if name not in target.names and name not in ignored and unit.machine_id
    }
    return misplaced(target.needs, others, tuple(snapshot.machines.values()))


def leaving(ownership: Ownership, target: Target, snapshot: Snapshot) -> tuple[str, ...]:
    """The units of the service that a rollout to *target* removes: it has them under other names, or more of them."""
    present = instances_of(ownership, target.service, snapshot)
    return tuple(name for name in present if name not in target.names)


def in_the_way(ownership: Ownership, target: Target, snapshot: Snapshot) -> tuple[str, ...]:
    """Those of `leaving` that have to go first, as a new unit finds no machine beside them: it has the same port of the
    machine, or conflicts with them."""
    old = leaving(ownership, target, snapshot)
    if not old or not no_place(target, snapshot):
        return ()
    going = {name: snapshot.units[name].file.needs(name) for name in old}
    return tuple(name for name in old if any(apart(going[name], need) for need in target.needs))
