"""What has to hold before the first instance of a rollout stops: a place for each, and the image on every machine."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.observed import Snapshot, observe
from fleetcaptain.rollout.placement import candidates, misplaced, needs_of
from fleetcaptain.rollout.prepull import pull_everywhere
from fleetcaptain.rollout.values import Target

__all__ = ["no_place", "prepare"]


def prepare(cluster: Cluster, snapshot: Snapshot, target: Target, image: str, report: Callable[[str], None]) -> None:
    """Raise RolloutFailed when *target* cannot be placed on the cluster of *snapshot*, or a machine cannot pull its
    *image*; nothing was touched then. Instances that already run the target's content need neither."""
    left = [name for name in target.names if not observe(name, snapshot).healthy(target.content)]
    if not left:
        return
    why = no_place(target, snapshot)
    if why:
        raise RolloutFailed(f"{target.service}: {why}. Nothing was touched.")
    if image:
        machines = tuple(snapshot.machines.values())
        needs = [needs_of(name, target.text) for name in left]
        pull_everywhere(cluster, image, [machine.ip for machine in candidates(needs, machines)], report)


def no_place(target: Target, snapshot: Snapshot, ignored: Collection[str] = ()) -> str:
    """Why *target* cannot be placed beside all else on the cluster but *ignored*; empty when it can. Pure."""
    needs = [needs_of(name, target.text) for name in target.names]
    others = {
        name: (needs_of(name, unit.text), unit.machine_id or "")
        for name, unit in snapshot.units.items()
        if name not in target.names and name not in ignored and unit.machine_id
    }
    return misplaced(needs, others, tuple(snapshot.machines.values()))
