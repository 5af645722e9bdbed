"""Instances under new names, of a renamed service or another generation, replace the former ones step by step, and go
back after a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fleetcaptain.errors import RolloutFailed, RolloutMixed
from fleetcaptain.rollout.dependents import blocked_by
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.placement import apart
from fleetcaptain.rollout.preflight import leaving, no_place, shares_volume
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.report import explain
from fleetcaptain.rollout.retire import retire
from fleetcaptain.rollout.strategies.rolling import roll_back
from fleetcaptain.units.mark import Ownership
from fleetcaptain.units.names import name_parts
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["Step", "former_units", "next_step", "replace_former", "retire_former"]


@dataclass(frozen=True)
class Step:
    """Remove the units *first*, start those of *target*, and remove the units *then* when these are healthy."""

    first: tuple[str, ...]
    target: Target
    then: tuple[str, ...]


def former_units(ownership: Ownership, target: Target, former: Sequence[str], snapshot: Snapshot) -> dict[str, str]:
    """Unit -> its service, of those that *target* replaces under new names: other generations of its service, and the
    services *former*. Those that wait for a window first, as they serve nothing."""
    new = {name_parts(name)[0] for name in target.names}
    found = {
        name: service
        for service in (target.service, *former)
        for name in instances_of(ownership, service, snapshot)
        if name_parts(name)[0] not in new
    }
    return {name: found[name] for name in sorted(found, key=lambda name: name not in snapshot.waiting)}


def next_step(target: Target, started: int, at_once: int, old: Sequence[str], snapshot: Snapshot) -> Step:
    """The step after the first *started* units of *target* run, of *at_once* further ones. Pure.

    *old*: the units to replace, in the order of their removal. Together with the new units never fewer stay than
    *target* has, except where no machine has room for a new unit beside them: that one's place is made first. For each
    new unit one that writes to the same volume is removed first.
    """
    upto = min(started + at_once, len(target.names))
    part = replace(target, names=target.names[:upto])
    first = _in_the_way(part, old, snapshot)
    writing = [name for name in old if name not in snapshot.waiting and shares_volume(target.file, [name], snapshot)]
    begun = sum(name not in snapshot.units for name in part.names) - len(set(writing).intersection(first))
    first = (*first, *[name for name in writing if name not in first][: max(0, begun)])
    left = [name for name in old if name not in first]
    surplus = tuple(left[: max(0, len(left) - (len(target.names) - upto))])
    return Step(first, part, surplus)


def _in_the_way(target: Target, old: Sequence[str], snapshot: Snapshot) -> tuple[str, ...]:
    """The fewest of *old*, one by one, without which *target* can be placed."""
    needs = {name: snapshot.units[name].file.needs(name) for name in old}
    left = [name for name in old if any(apart(needs[name], need) for need in target.needs)]
    gone: list[str] = []
    while left and no_place(target, snapshot, gone):
        name = next((name for name in left if not no_place(target, snapshot, [*gone, name])), left[0])
        left.remove(name)
        gone.append(name)
    return tuple(gone)


def replace_former(
    driver: Driver, target: Target, policy: Policy, former: Sequence[str], snapshot: Snapshot, *, auto_revert: bool
) -> None:
    """Start the units of *target* and remove the `former_units`: the first one alone, then as many at once as *policy*
    allows.

    Those of *former* stay while a service of another release still requires them: see `blocked_by`. Raises
    RolloutFailed after a failure, when the old units run again (or the rollout just stopped, if *auto_revert* is off),
    RolloutMixed if that failed too, or if units of *target* ran before.
    """
    cluster = driver.cluster
    replaced = former_units(cluster.ownership, target, former, snapshot)
    services = ", ".join(dict.fromkeys(replaced.values()))
    present = instances_of(cluster.ownership, target.service, snapshot)
    resumed = [name for name in present if name not in replaced]
    kept = _required(driver, former, snapshot)
    done: list[tuple[Step, Mapping[str, UnitFile | None]]] = []
    started = 0
    while started < len(target.names):
        snapshot = cluster.snapshot()
        old = former_units(cluster.ownership, target, former, snapshot)
        step = next_step(target, started, policy.max_parallel if started else 1, list(old), snapshot)
        if kept:
            step = replace(step, then=())
        files = {name: snapshot.units[name].file for name in (*step.first, *step.then)}
        _remove(driver, {name: old[name] for name in step.first})
        outcome = driver.run(step.target, policy)
        done.append((step, {**outcome.before, **{name: files[name] for name in step.first}}))
        if outcome.failure is not None:
            message = explain(cluster, outcome)
            if not auto_revert:
                raise RolloutFailed(
                    f"{message}\nThe rollout stopped because auto_revert is off. Run `pulumi up` again to continue."
                )
            _go_back(driver, policy, done, message)
            if resumed:
                raise RolloutMixed(
                    f"{message}\nThe changes of this run were taken back. {', '.join(resumed)} of an earlier run stay "
                    f"beside the old instances of {services}: both versions run. Fix the service and run `pulumi "
                    "up` again; it continues from here."
                )
            raise RolloutFailed(
                f"{message}\nThe old instances of {services} serve as before. Fix the service and run `pulumi up` "
                "again."
            )
        _remove(driver, {name: old[name] for name in step.then})
        done[-1] = (step, {**done[-1][1], **files})
        started = len(step.target.names)
    remove(cluster, target.service, leaving(cluster.ownership, target, cluster.snapshot()), driver.report)


def retire_former(driver: Driver, former: Sequence[str], keep_old_sec: float) -> None:
    """Drain the units of the services *former*, whose successor is healthy, and remove them *keep_old_sec* later."""
    for service in former:
        snapshot = driver.cluster.snapshot()
        names = instances_of(driver.cluster.ownership, service, snapshot)
        if names and not _required(driver, [service], snapshot):
            retire(driver.cluster, snapshot, service, names, keep_old_sec=keep_old_sec, report=driver.report)


def _required(driver: Driver, former: Sequence[str], snapshot: Snapshot) -> bool:
    """Whether a service of another release requires one of *former*, whose units then stay until the end of the
    deployment."""
    for service in former:
        names = instances_of(driver.cluster.ownership, service, snapshot)
        why = blocked_by(driver.cluster, snapshot, service, names, None)
        if why:
            driver.report(f"keeping {', '.join(names)}: {why}")
            return True
    return False


def _remove(driver: Driver, units: Mapping[str, str]) -> None:
    """Remove *units*: name -> its service."""
    for service in dict.fromkeys(units.values()):
        remove(driver.cluster, service, [name for name, its in units.items() if its == service], driver.report)


def _go_back(
    driver: Driver, policy: Policy, done: Sequence[tuple[Step, Mapping[str, UnitFile | None]]], message: str
) -> None:
    """Take the steps back, the last one first: the old units start before the new ones of their step are removed,
    unless both have no room."""
    for step, before in reversed(done):
        if step.first:
            new = [name for name, file in before.items() if file is None]
            remove(driver.cluster, step.target.service, new, driver.report)
        # Its windows are those of the new units.
        roll_back(replace(driver, opening=None), step.target, policy, before, message)
