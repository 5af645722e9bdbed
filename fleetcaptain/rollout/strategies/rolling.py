"""Rolling update of a service in place, and its rollback after a failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fleetcaptain.errors import RolloutFailed, RolloutMixed
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import instances_of
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.report import explain
from fleetcaptain.units.unit_file import UnitFile

__all__ = ["RESTARTS_AT_INSTALL", "install", "roll", "roll_back"]

# On a first deployment services start in any order and may exit until their dependencies run.
RESTARTS_AT_INSTALL = 3


def install(driver: Driver, target: Target, policy: Policy) -> None:
    """Start every instance at once: nothing serves yet, so nothing can be lost. Adopts instances that already run.

    Raises RolloutFailed, and changes no running instance: a first version has no text to roll back to.
    """
    running = target.running
    at_once = replace(policy, max_parallel=len(running.names), first_alone=False, restarts_allowed=RESTARTS_AT_INSTALL)
    outcome = driver.run(running, at_once)
    if outcome.failure is not None:
        raise RolloutFailed(
            f"{explain(driver.cluster, outcome)}\nThere is no earlier version to roll back to; the other instances are "
            "unchanged. Fix the service and run `pulumi up` again."
        )


def roll(
    driver: Driver, target: Target, policy: Policy, auto_revert: bool, first: Mapping[str, UnitFile] | None = None
) -> None:
    """Replace the instances window by window, then remove the surplus ones.

    *first*: units of the service with other names, and their files, that must be removed first because no machine has
    room for the new ones next to them (see `preflight.in_the_way`). The service is down during that time.
    Raises RolloutFailed after a failure and a rollback (or without one if *auto_revert* is off, or the instances
    already had this text), RolloutMixed if the rollback failed too.
    """
    displaced = first or {}
    if displaced:
        driver.report(f"{target.service}: removing {', '.join(displaced)} first, to place the new instances")
        remove(driver.cluster, target.service, displaced, driver.report)
    outcome = driver.run(target.running, policy)
    if outcome.failure is not None:
        message = explain(driver.cluster, outcome)
        if not auto_revert:
            raise RolloutFailed(
                f"{message}\nThe rollout stopped because auto_revert is off. Run `pulumi up` again to continue."
            )
        before = {**outcome.before, **displaced}
        changed = {name: file for name, file in before.items() if file is None or file.unit_hash != target.unit_hash}
        if not changed:
            raise RolloutFailed(
                f"{message}\nIts units already had this text, so there is none to roll back to. Fix the service and "
                "run `pulumi up` again."
            )
        driver.report(f"{target.service}: failed; rolling back the changed instances")
        if displaced:
            # The new instances block the machines of those that were removed first.
            remove(driver.cluster, target.service, _new(outcome.before), driver.report)
        roll_back(driver, target, policy, changed, message)
        raise RolloutFailed(
            f"{message}\nThe changed instances were rolled back to their old text. Fix the service and run `pulumi up` "
            "again."
        )
    cluster = driver.cluster
    present = instances_of(cluster.ownership, target.service, outcome.snapshot)
    extra = [name for name in present if name not in target.names]
    remove(cluster, target.service, extra, driver.report)


def roll_back(
    driver: Driver, target: Target, policy: Policy, before: Mapping[str, UnitFile | None], message: str
) -> None:
    """Give each changed instance its previous text, *before* (None: it is new); remove the new ones. Raises
    RolloutMixed, after *message*, when an instance does not become healthy with it."""
    cluster = driver.cluster
    for old in {file for file in before.values() if file is not None}:
        names = tuple(name for name, file in before.items() if file == old)
        for name in names:
            cluster.put(name, old)
        back = Target(old.mark.service if old.mark else target.service, names, old)
        patient = replace(
            policy.for_file(old), max_parallel=len(names), first_alone=False, restarts_allowed=RESTARTS_AT_INSTALL
        )
        outcome = driver.run(back, patient)
        if outcome.failure is not None:
            raise RolloutMixed(
                f"{message}\nThe rollback failed too: {explain(cluster, outcome)}\nThe service now has instances of "
                "both versions. To finish the new version, run the same command again. To go back, run `captain "
                "rollback`."
            )
    remove(cluster, target.service, _new(before), driver.report)
    cluster.recorder.rolled_back = True


def _new(before: Mapping[str, UnitFile | None]) -> list[str]:
    return [name for name, file in before.items() if file is None]
