"""Blue/green: the new generation starts next to the old one, which is drained and removed when the new is healthy."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.dependents import blocked_by
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.observe import Snapshot, instances_of
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.report import explain
from fleetcaptain.rollout.retire import retire
from fleetcaptain.rollout.strategies.rolling import RESTARTS_AT_INSTALL

__all__ = ["replace_generation"]


def replace_generation(driver: Driver, target: Target, policy: Policy, keep_old_sec: float, snapshot: Snapshot) -> None:
    """Start *target*'s units, all in parallel; when they are healthy, drain every other generation and remove it.
    *snapshot* is the cluster before.

    A generation that a service of another release still requires stays: see `blocked_by`. Raises RolloutFailed if the
    new generation fails; it is then removed, and the old one is unchanged.
    """
    cluster = driver.cluster
    at_once = replace(policy, max_parallel=len(target.names), first_alone=False)
    if not _other_generations(cluster, target, snapshot):
        at_once = replace(at_once, restarts_allowed=RESTARTS_AT_INSTALL)
    outcome = driver.run(target, at_once)
    if outcome.failure is not None:
        message = explain(cluster, outcome)
        new = [name for name, file in outcome.before.items() if file is None]
        remove(cluster, target.service, new, driver.report)
        cluster.recorder.rolled_back = True
        raise RolloutFailed(
            f"{message}\nThe new generation was removed; the old one is unchanged. Fix the service and run "
            "`pulumi up` again."
        )
    old = _other_generations(cluster, target, outcome.snapshot)
    if not old:
        return
    why = blocked_by(cluster, outcome.snapshot, target.service, old, target.unit_hash)
    if why:
        driver.report(f"new generation healthy; keeping {', '.join(old)}: {why}")
        return
    retire(cluster, outcome.snapshot, target.service, old, keep_old_sec=keep_old_sec, report=driver.report)


def _other_generations(cluster: Cluster, target: Target, snapshot: Snapshot) -> list[str]:
    """The units of the service in *snapshot* that are not of *target*."""
    present = instances_of(cluster.ownership, target.service, snapshot)
    return [name for name in present if name not in target.names]
