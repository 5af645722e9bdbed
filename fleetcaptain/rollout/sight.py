"""What the cluster was seen with during a rollout, so that its own faults are not taken for a bad release. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from fleetcaptain.rollout.poller import TICK_SEC
from fleetcaptain.rollout.values import Memory, Policy, after_blindness, after_fault

__all__ = ["FAULT_SEC", "Sight", "fair", "lenient", "seen"]

# How long a fault of the cluster is waited out before it counts against the rollout after all.
FAULT_SEC = 600.0
_BLIND_TICKS = 5
# On a machine that came back docker and etcd need a moment, and units exit until they are there.
_RESTARTS_AFTER_FAULT = 3


@dataclass(frozen=True)
class Sight:
    """The last look was *at* this second; *machines* are the ids of all that were ever seen; *short_since* is since
    when one of them is missing, *faulty* whether one ever was."""

    at: float
    machines: frozenset[str] = frozenset()
    short_since: float | None = None
    faulty: bool = False


def seen(sight: Sight, machines: Collection[str], now: float) -> Sight:
    """*sight* after a look at *now* that showed *machines*."""
    missing = bool(sight.machines - set(machines))
    since = (now if sight.short_since is None else sight.short_since) if missing else None
    return Sight(now, sight.machines | set(machines), since, sight.faulty or missing)


def fair(memory: Memory, before: Sight, after: Sight) -> Memory:
    """*memory*, less the time between two looks, if the cluster could not be seen or lacked a machine then."""
    passed = after.at - before.at
    if passed > _BLIND_TICKS * TICK_SEC:
        return after_blindness(memory, passed)
    if after.short_since is not None and after.at - after.short_since <= FAULT_SEC:
        return after_fault(memory, passed)
    return memory


def lenient(policy: Policy, sight: Sight) -> Policy:
    """*policy*, with some restarts forgiven once the cluster has lacked a machine."""
    if not sight.faulty:
        return policy
    return replace(policy, restarts_allowed=max(policy.restarts_allowed, _RESTARTS_AFTER_FAULT))
