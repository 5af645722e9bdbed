"""Rolling a service in place, and taking it back when that fails."""

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

__all__ = ["RESTARTS_AT_INSTALL", "install", "roll"]

# On a first deploy services start in any order and may exit until what they need is there.
RESTARTS_AT_INSTALL = 3


def install(driver: Driver, target: Target, policy: Policy) -> None:
    """Start every instance at once: nothing serves yet, so nothing can be lost. Adopts instances that already run.

    Raises RolloutFailed, and leaves what runs as it is: a first version has no text to go back to.
    """
    at_once = replace(policy, max_parallel=len(target.names), first_alone=False, restarts_allowed=RESTARTS_AT_INSTALL)
    outcome = driver.run(target, at_once)
    if outcome.failure is not None:
        raise RolloutFailed(
            f"{explain(driver.cluster, outcome)}\nThere is no earlier version to go back to; the other instances were "
            "left as they are. Mend the service and run `pulumi up` again."
        )


def roll(
    driver: Driver, target: Target, policy: Policy, auto_revert: bool, first: Mapping[str, UnitFile] | None = None
) -> None:
    """Replace the instances one window after the other, then remove those that are no longer wanted.

    *first*: units of the service under other names, with their files, that have to go before, since the new ones find
    no machine beside them (see `prepare.in_the_way`). The service is down for a while then.
    Raises RolloutFailed when it failed and every touched instance has its old text again (or *auto_revert* is off, or
    they had this text before), RolloutMixed when that too failed.
    """
    displaced = first or {}
    if displaced:
        driver.report(f"{target.service}: {', '.join(displaced)} must go before the new instances find a machine")
        remove(driver.cluster, target.service, displaced, driver.report)
    outcome = driver.run(target, policy)
    if outcome.failure is not None:
        told = explain(driver.cluster, outcome)
        if not auto_revert:
            raise RolloutFailed(f"{told}\nStopped there, as auto_revert is off. Run `pulumi up` again to go on.")
        before = {**outcome.before, **displaced}
        changed = {name: file for name, file in before.items() if file != target.file}
        if not changed:
            raise RolloutFailed(
                f"{told}\nIts units had this text before, so there is none to go back to. Mend the service and run "
                "`pulumi up` again."
            )
        driver.report(f"{target.service}: failed; giving the touched instances their old text back")
        if displaced:
            # The new instances hold the places of those that went first.
            remove(driver.cluster, target.service, _new(outcome.before), driver.report)
        _take_back(driver, target, policy, changed, told)
        raise RolloutFailed(
            f"{told}\nThe instances that were touched have their old text back. Mend the service and run `pulumi up` "
            "again."
        )
    cluster = driver.cluster
    present = instances_of(cluster.ownership, target.service, outcome.snapshot)
    extra = [name for name in present if name not in target.names]
    remove(cluster, target.service, extra, driver.report)


def _take_back(
    driver: Driver, target: Target, policy: Policy, before: Mapping[str, UnitFile | None], told: str
) -> None:
    """Give each touched instance the text it had; remove those that are new."""
    cluster = driver.cluster
    for old in {file for file in before.values() if file is not None}:
        names = tuple(name for name, file in before.items() if file == old)
        for name in names:
            cluster.put(name, old)
        back = Target(target.service, names, old)
        patient = replace(
            policy.for_file(old), max_parallel=len(names), first_alone=False, restarts_allowed=RESTARTS_AT_INSTALL
        )
        outcome = driver.run(back, patient)
        if outcome.failure is not None:
            raise RolloutMixed(
                f"{told}\nAnd going back failed: {explain(cluster, outcome)}\nThe service now has instances of both "
                "versions. Run `pulumi up` with the Fleetfile that you want; it continues from here."
            )
    remove(cluster, target.service, _new(before), driver.report)


def _new(before: Mapping[str, UnitFile | None]) -> list[str]:
    return [name for name, file in before.items() if file is None]
