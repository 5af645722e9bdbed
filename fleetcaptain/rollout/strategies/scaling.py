"""Adds instances of a service under the text that it has, or removes the ones with the highest numbers."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import Snapshot, is_fleet_global
from fleetcaptain.rollout.preflight import leaving, prepare
from fleetcaptain.rollout.strategies.rolling import roll
from fleetcaptain.units.names import instance_names

__all__ = ["refuse_unscalable", "scale", "scaled"]

_MOST_INSTANCES = 100
"""The most instances of a service, as in a Fleetfile."""


def refuse_unscalable(target: Target, snapshot: Snapshot) -> None:
    """Raise UnitRefused if the service of *target*, which has its present units, has no number of instances."""
    units = [snapshot.units[name] for name in target.names]
    why = ""
    if target.file.is_task:
        why = "it is a task, which runs once"
    elif any(is_fleet_global(unit) or unit.file.needs(unit.name).machine_id in _instances(target) for unit in units):
        why = "it is global: it has one instance on every machine"
    elif not set(target.names) <= set(instance_names(target.service, _MOST_INSTANCES)):
        why = "it is replaced blue/green (instances=True), which has one instance at a time"
    if why:
        heading = f"Cannot scale {target.service}. Nothing was changed:"
        raise UnitRefused(heading, [f"{why}. Change the service in the Fleetfile and run `pulumi up`"])


def scaled(target: Target, instances: int, snapshot: Snapshot) -> Target:
    """*target* with so many *instances*. Those that only its windows need stay: running, or waiting for one."""
    plan = snapshot.window_plan(target.service)
    known = instance_names(target.service, max(instances, plan.most if plan is not None else 0))
    names = tuple(name for number, name in enumerate(known) if number < instances or name in snapshot.units)
    standby = {
        name: DesiredState(snapshot.units[name].desired) for name in names[instances:] if name in snapshot.waiting
    }
    return replace(target, names=names, standby=standby)


def scale(driver: Driver, snapshot: Snapshot, target: Target, policy: Policy) -> None:
    """Bring the service to *target*, see `scaled`. New instances start at once: none that serves is touched. If one
    does not become healthy, all new ones are removed, and RolloutFailed is raised."""
    cluster = driver.cluster
    new = [name for name in target.running.names if name not in snapshot.units or name in snapshot.waiting]
    going = leaving(cluster.ownership, target, snapshot)
    prepare(cluster, snapshot, target, target.file.without_image()[1], driver.report, ignored=going)
    roll(driver, target, replace(policy, max_parallel=max(1, len(new)), first_alone=False), auto_revert=True)


def _instances(target: Target) -> set[str]:
    """What is after the ``@`` in the names of its units: the machine, for a service of every machine."""
    return {name.partition("@")[2].removesuffix(".service") for name in target.names}
