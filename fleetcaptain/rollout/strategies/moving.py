"""Moves instances to other machines, one at a time by the rolling update's own window, under the text they have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import Snapshot
from fleetcaptain.rollout.preflight import pull_everywhere
from fleetcaptain.rollout.rebalance import Move, plan_moves
from fleetcaptain.rollout.report import explain
from fleetcaptain.rollout.strategies.restart import RestartDriver

__all__ = ["MoveDriver", "interrupted", "rebalance"]


@dataclass(frozen=True)
class MoveDriver(RestartDriver):
    """Takes pending units off their machine before it starts them again: fleet then chooses a machine for them."""

    stops: ClassVar[DesiredState] = DesiredState.INACTIVE

    def observe(self, target: Target, snapshot: Snapshot, zone_key: str) -> dict[str, Instance]:
        """The observed instances. One that fleet has not yet taken off its machine has not stopped: started now, it
        would stay there."""
        observed = super().observe(target, snapshot, zone_key)
        for name, instance in observed.items():
            unit = snapshot.units.get(name)
            if unit is not None and unit.desired == DesiredState.INACTIVE and unit.machine_id:
                observed[name] = replace(instance, current="launched")
        return observed


def rebalance(driver: MoveDriver, target: Target, policy: Policy, report: Callable[[str], None]) -> list[Move]:
    """Move instances of *target* until no move improves the spread; the moves made, with the machines that fleet
    chose. Each is planned on a new snapshot. Raises RolloutFailed when a moved instance does not become healthy; the
    others stay."""
    cluster, made = driver.cluster, list[Move]()
    if interrupted(target, cluster.snapshot()):
        _run(driver, target, policy)
    while True:
        snapshot = cluster.snapshot()
        moved = {move.unit for move in made}
        moves = plan_moves(snapshot, {target.service: target.names}, moved=moved)
        if not moves:
            return made
        move = moves[0]
        source, destination = snapshot.machines[move.source], snapshot.machines[move.destination]
        image = target.file.without_image()[1]
        if image:
            pull_everywhere(cluster, image, [destination.ip], report)
        report(f"moving {move.unit} from {source.ip} to {destination.ip}")
        driver.pending.add(move.unit)
        after = _run(driver, target, policy)
        made.append(replace(move, destination=after.units[move.unit].machine_id or move.destination))


def interrupted(target: Target, snapshot: Snapshot) -> bool:
    """Whether a move of *target* was interrupted: a unit is off its machine."""
    return any(snapshot.units[name].desired != DesiredState.LAUNCHED for name in target.names)


def _run(driver: MoveDriver, target: Target, policy: Policy) -> Snapshot:
    outcome = driver.run(target, policy)
    if outcome.failure is not None:
        raise RolloutFailed(
            f"{explain(driver.cluster, outcome)}\nThe rebalancing stopped there; the other instances were not moved."
        )
    return outcome.snapshot
