"""Blue/green: the new generation starts beside the old one, which is drained and removed when the new is healthy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from fleetcaptain.discovery.keys import registration_key
from fleetcaptain.discovery.values import drained
from fleetcaptain.errors import RolloutFailed
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.drive import Driver
from fleetcaptain.rollout.failed import explain
from fleetcaptain.rollout.held import held
from fleetcaptain.rollout.observed import instances_of
from fleetcaptain.rollout.remove import patience, remove
from fleetcaptain.rollout.roll import RESTARTS_AT_INSTALL
from fleetcaptain.rollout.values import Policy, Target
from fleetcaptain.untrusted import readable

__all__ = ["replace_generation", "retire"]


def replace_generation(driver: Driver, target: Target, policy: Policy, keep_old_sec: float) -> None:
    """Start *target*'s units, all in parallel; when they are healthy, drain every other generation and remove it.

    One that a service of another release still depends on is left for later: see `held`.
    Raises RolloutFailed when the new generation fails; it is removed then, and the old one was never touched.
    """
    cluster = driver.cluster
    at_once = replace(policy, max_parallel=len(target.names), first_alone=False)
    if not _other_generations(cluster, target):
        at_once = replace(at_once, restarts_allowed=RESTARTS_AT_INSTALL)
    outcome = driver.drive(target, at_once)
    if outcome.failure is not None:
        told = explain(cluster, outcome)
        new = [name for name, text in outcome.before.items() if text is None]
        remove(cluster, target.service, new, driver.report)
        raise RolloutFailed(
            f"{told}\nThe new generation was removed; the old one was not touched. Mend the service and run "
            "`pulumi up` again."
        )
    old = _other_generations(cluster, target)
    if not old:
        return
    why = held(cluster, target.service, old, target.content)
    if why:
        driver.report(f"new generation healthy; {', '.join(old)} left for those {why}")
        return
    retire(cluster, target.service, old, keep_old_sec, driver.report)


def retire(
    cluster: Cluster, service: str, old: Sequence[str], keep_old_sec: float, report: Callable[[str], None]
) -> None:
    """Drain the units *old* of *service*, and remove them *keep_old_sec* later."""
    report(f"{service}: new generation healthy; draining {', '.join(old)} for {keep_old_sec:.0f} s")
    drain(cluster, service, old, keep_old_sec + patience(old, cluster.look()))
    cluster.sleep(keep_old_sec)
    remove(cluster, service, old, report)


def _other_generations(cluster: Cluster, target: Target) -> list[str]:
    """The units of the service that are not of *target*, as they are on the cluster now."""
    present = instances_of(cluster.ownership, target.service, cluster.look())
    return [name for name in present if name not in target.names]


def drain(cluster: Cluster, service: str, units: Iterable[str], ttl_sec: float) -> None:
    """Take *units* out of discovery while they still answer, for *ttl_sec* seconds at most.

    The registration is marked, not removed: the beacon on the machine renews what is missing, and leaves alone what
    somebody else changed. The mark outlives the units; their removal removes it.
    """
    for unit in units:
        key = registration_key(cluster.app, service, unit)
        marked = False
        while not marked and (node := cluster.store.read(key)) is not None:
            value = readable(drained, node.value)
            if value is None:
                cluster.store.delete(key, recursive=True)  # no registration: any text, an empty one, or a directory
                continue
            # A renewal in between changes the key's index, and nothing else.
            marked = cluster.store.swap(key, node, value, ttl_sec=int(ttl_sec))
