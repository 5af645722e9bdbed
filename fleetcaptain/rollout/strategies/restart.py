"""A rolling restart: every instance stops and starts again under the text it has, by the same window as a new one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from fleetcaptain.errors import Locked, NotAvailable, RolloutFailed, RolloutMixed, UnitRefused
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import Snapshot, instances_of, is_fleet_global
from fleetcaptain.rollout.report import explain
from fleetcaptain.units.mark import Ownership, is_auxiliary

__all__ = ["RestartDriver", "refuse_changed", "restart", "services_on", "stack_of", "stack_on", "to_restart"]

_BEFORE = "before the restart"


@dataclass(frozen=True)
class RestartDriver(Driver):
    """Treats running instances as older ones until they were stopped once. *pending* are the units still to stop;
    *stops* is the desired state that stops them."""

    stops: ClassVar[DesiredState] = DesiredState.LOADED
    pending: set[str] = field(default_factory=set)

    def observe(self, target: Target, snapshot: Snapshot, zone_key: str) -> dict[str, Instance]:
        """The observed instances, with pending ones shown as instances of an older text."""
        observed = super().observe(target, snapshot, zone_key)
        return {name: _older(instance) if name in self.pending else instance for name, instance in observed.items()}

    def start(self, name: str, target: Target) -> None:
        """Stop an instance the first time; the window then waits until it is down, and starts it the second time."""
        if name in self.pending:
            self.cluster.set_desired_state(name, self.stops)
            self.pending.discard(name)
        else:
            super().start(name, target)


def stack_on(app: str, service: str, snapshot: Snapshot) -> str:
    """The stack whose units of *service* are on the cluster, by their marks; "" when there are none.

    Raises RolloutFailed when there are several.
    """
    marks = (unit.mark for unit in snapshot.units.values())
    stacks = sorted({mark.stack for mark in marks if mark and (mark.app, mark.service) == (app, service)})
    if len(stacks) > 1:
        raise RolloutFailed(
            f"Several stacks have units of {service} of the app {app!r} on this cluster: {', '.join(stacks)}. Nothing "
            "was changed. Choose one with --stack."
        )
    return stacks[0] if stacks else ""


def stack_of(app: str, snapshot: Snapshot) -> str:
    """The one stack that has units of *app* on the cluster, by their marks; "" when there are none.

    Raises RolloutFailed when there are several.
    """
    marks = (unit.mark for unit in snapshot.units.values())
    stacks = sorted({mark.stack for mark in marks if mark and mark.app == app})
    if len(stacks) > 1:
        raise RolloutFailed(
            f"Several stacks have units of the app {app!r} on this cluster: {', '.join(stacks)}. Nothing was changed. "
            "Choose one with --stack."
        )
    return stacks[0] if stacks else ""


def services_on(ownership: Ownership, snapshot: Snapshot) -> tuple[str, ...]:
    """The services of which *ownership* covers units, but for those that fleet runs everywhere, as the agent, the units
    of tasks, and those of a machine in maintenance."""
    return tuple(
        sorted(
            {
                unit.mark.service
                for name, unit in snapshot.units.items()
                if unit.mark
                and ownership.owns(name, unit.mark)
                and not is_fleet_global(unit)
                and not is_auxiliary(unit.mark)
                and not unit.file.of_task
            }
        )
    )


def to_restart(ownership: Ownership, service: str, snapshot: Snapshot) -> Target:
    """The target of a restart of *service*: the text that all its units have. Those that wait for a window go on
    waiting.

    Raises NotAvailable when there is no such service, UnitRefused for a task, RolloutMixed when its units differ.
    """
    names = tuple(name for name in instances_of(ownership, service, snapshot) if name not in snapshot.waiting)
    if not names:
        _refuse_task(ownership, service, snapshot)
        raise NotAvailable(_unknown(ownership, service, snapshot))
    files = {snapshot.units[name].file for name in names}
    if len(files) > 1:
        raise RolloutMixed(
            f"The units of {service} differ: a rollout was interrupted. Nothing was changed. Run `pulumi up` to finish "
            "it."
        )
    return Target(service, names, files.pop())


def _refuse_task(ownership: Ownership, name: str, snapshot: Snapshot) -> None:
    owned = (unit.file for key, unit in snapshot.units.items() if unit.mark and ownership.owns(key, unit.mark))
    files = [file for file in owned if file.of_task == name]
    if not files:
        return
    if any(file.periodic for file in files):
        runs = "its calendar event starts it: to change that, change `every` in the Fleetfile and run `pulumi up`"
    else:
        runs = "a deployment runs it once: to run it again, change it in the Fleetfile and run `pulumi up`"
    raise UnitRefused(
        f"{name} is a task and not a service. Nothing was changed:",
        [runs, f"`captain logs {name}` shows what its runs printed; `captain run` runs a command now"],
    )


def _unknown(ownership: Ownership, service: str, snapshot: Snapshot) -> str:
    of_stack = f", stack {ownership.stack}" if ownership.stack else ""
    # Without a unit of the service the stack may be unknown; then those of all stacks are named.
    stacks = frozenset(unit.mark.stack for unit in snapshot.units.values() if unit.mark)
    known = services_on(ownership if ownership.stack else replace(ownership, adopt=stacks), snapshot)
    choice = f"Use one of its services: {', '.join(known)}." if known else "Deploy the app first with `pulumi up`."
    return (
        f"No such service: the cluster has no unit of {service!r} of the app {ownership.app!r}{of_stack}. Nothing was "
        f"changed. {choice}"
    )


def refuse_changed(ownership: Ownership, target: Target, snapshot: Snapshot) -> None:
    """Raise Locked if the service of *target* was rolled out since *target* was read, by the *snapshot* under its lock:
    the text of *target* would undo that rollout."""
    if to_restart(ownership, target.service, snapshot) != target:
        raise Locked(
            f"{target.service} changed in this moment, by a rollout or a window. Nothing of it was changed. Run the "
            "same command again."
        )


def restart(driver: RestartDriver, target: Target, policy: Policy) -> None:
    """Restart every unit of *target*, within the window of *policy*. Raises RolloutFailed."""
    driver.pending.update(target.names)
    outcome = driver.run(target, policy)
    if outcome.failure is not None:
        untouched = f"; not restarted: {', '.join(sorted(driver.pending))}" if driver.pending else ""
        raise RolloutFailed(f"{explain(driver.cluster, outcome)}\nThe restart stopped there{untouched}.")


def _older(instance: Instance) -> Instance:
    return replace(
        instance,
        unit_hash=_BEFORE,
        running=_BEFORE if instance.running == instance.unit_hash else instance.running,
        registered=_BEFORE if instance.registered == instance.unit_hash else instance.registered,
    )
