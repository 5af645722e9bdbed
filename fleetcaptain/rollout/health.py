"""Health of instances and of the cluster: healthy, failed, or unknown during an outage. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from fleetcaptain.rollout.model import (
    TICK_SEC,
    Failure,
    Policy,
    Progress,
    RolloutState,
    Target,
    extend_for_fault,
    shift_for_outage,
)

__all__ = ["FAULT_SEC", "ClusterHealth", "Instance", "extend_deadlines", "find_failure", "relax", "update_health"]

# How long a rollout waits for a faulty cluster before the time counts against it.
FAULT_SEC = 600.0
_UNSCHEDULED_SEC = 30.0
_BLIND_TICKS = 5
# On a rebooted machine units exit until docker and etcd are up.
_RESTARTS_AFTER_FAULT = 3


@dataclass(frozen=True)
class Instance:
    """One instance as reported.

    *unit_hash* is the SHA1 of the unit's text in fleet, None when there is no such unit. *running* is the SHA1 of the
    text that systemd runs, None when no state is reported, which means unknown, not down. *registered* is the unit hash
    in its live registration, also during maintenance of its service. *machine* is an address; *lost*: fleet assigned
    the instance to a machine that does not answer now. *zone* is the machine's failure domain. *missing_bound* names a
    bound unit that systemd stopped together with the instance and that does not run again. *failing*: why the alive
    check of the text that runs fails; "" while it holds.
    """

    name: str
    unit_hash: str | None = None
    desired: str = "inactive"
    current: str = "inactive"
    machine: str | None = None
    running: str | None = None
    active: str = ""
    sub: str = ""
    registered: str | None = None
    lost: bool = False
    zone: str = ""
    missing_bound: str = ""
    failing: str = ""

    def healthy(self, unit_hash: str) -> bool:
        """Whether exactly *unit_hash* runs on its machine and is registered, and its bound units run."""
        return (
            self.unit_hash == unit_hash
            and self.desired == "launched"
            and self.running == unit_hash
            and self.active == "active"
            and self.sub in ("running", "exited")
            and self.registered == unit_hash
            and not self.missing_bound
        )

    @property
    def halted(self) -> bool:
        """Whether systemd does not run it although fleet has started it. fleet starts a unit only once.

        It exited successfully, or was stopped on its machine, or a unit that it is bound to stopped. Or its start waits
        for another unit, or its state is reported late: only time distinguishes these cases.
        """
        return (
            self.unit_hash is not None
            and self.running == self.unit_hash
            and self.desired == self.current == "launched"
            and self.active == "inactive"
        )

    @property
    def unplaced(self) -> bool:
        """Whether no machine has it although its desired state is launched."""
        launched = self.unit_hash is not None and self.desired == "launched"
        return launched and self.machine is None and self.running is None and not self.lost

    def stuck(self, unit_hash: str) -> bool:
        """Whether it reaches *unit_hash* only by a stop and another start, regardless of the state in fleet."""
        return self.unit_hash == unit_hash and (self.halted or self.stale_process(unit_hash))

    def stale_process(self, unit_hash: str) -> bool:
        """Whether fleet shows *unit_hash* but the registration is for another text.

        fleet requests a stop and a start from systemd without waiting in between (fleet's `agent/reconcile.go`). If the
        stop is still queued when the start arrives, systemd drops it, and the process of the other text keeps running.
        """
        return (
            self.running == unit_hash
            and (self.active, self.sub) == ("active", "running")
            and self.registered not in (None, unit_hash)
        )

    @property
    def serving(self) -> bool:
        """Whether it is healthy with the text that it has, old or new."""
        return self.unit_hash is not None and self.healthy(self.unit_hash)

    @property
    def stopped(self) -> bool:
        """Whether systemd does not run it and fleet has noticed: before that, a start has no effect."""
        return self.active in ("", "inactive", "failed") and self.current != "launched"

    @property
    def gone(self) -> bool:
        """Whether neither fleet nor systemd has it."""
        return self.unit_hash is None and self.running is None


def find_failure(
    observed: Mapping[str, Instance], target: Target, policy: Policy, state: RolloutState, now: float
) -> Failure | None:
    """The first reason why *target* cannot be reached; None while it can."""
    for name, track in state.in_progress.items():
        failed = observed[name].running == target.unit_hash and observed[name].active == "failed" and not track.stale
        if name in state.done:
            reason = "systemd says that it failed, after it had been healthy" if failed else ""
        else:
            reason = "systemd says that it failed" if failed else _hopeless(track, observed[name], policy, now)
        if reason:
            return Failure(name, reason, unplaced=_unplaced(track, now))
    if state.progress_at is not None and now - state.progress_at > policy.progress_deadline_sec:
        waiting = next((name for name in state.in_progress if name not in state.done), target.names[0])
        return Failure(waiting, f"no instance became healthy for {policy.progress_deadline_sec:.0f} s")
    return None


def _hopeless(track: Progress, instance: Instance, policy: Policy, now: float) -> str:
    """Why an instance in progress cannot become healthy; empty while it can."""
    if track.restarts > policy.restarts_allowed:
        if instance.failing:
            return f"its alive check fails: {instance.failing}"
        return "it does not stay up: systemd keeps restarting it"
    if _unplaced(track, now):
        return f"no machine took it within {_UNSCHEDULED_SEC:.0f} s"
    # A lost machine does not count against the release: fleet moves the instance to another one.
    if not instance.lost and now - track.since > policy.healthy_deadline_sec + policy.min_healthy_sec:
        return f"it was not healthy within {policy.healthy_deadline_sec:.0f} s: {_lacks(instance)}"
    return ""


def _unplaced(track: Progress, now: float) -> bool:
    return track.unplaced_since is not None and now - track.unplaced_since >= _UNSCHEDULED_SEC


def _lacks(instance: Instance) -> str:
    if instance.missing_bound:
        return f"{instance.missing_bound}, which is bound to it, does not run again"
    if instance.failing:
        return f"its alive check fails: {instance.failing}"
    if instance.active == "active" and instance.sub == "running":
        if instance.registered is not None:
            return "it runs, but its registration is for another text"
        return "it runs, but it has not registered itself"
    return f"systemd says {instance.active or 'nothing'}/{instance.sub or 'nothing'}"


@dataclass(frozen=True)
class ClusterHealth:
    """The last snapshot was taken *at* this second; *machines* are the ids of all machines seen so far; since
    *short_since* one of them is missing; *faulty*: one was missing at some time."""

    at: float
    machines: frozenset[str] = frozenset()
    short_since: float | None = None
    faulty: bool = False


def update_health(health: ClusterHealth, machines: Collection[str], now: float) -> ClusterHealth:
    """*health* after a snapshot at *now* with *machines*."""
    missing = bool(health.machines - set(machines))
    since = (now if health.short_since is None else health.short_since) if missing else None
    return ClusterHealth(now, health.machines | set(machines), since, health.faulty or missing)


def extend_deadlines(state: RolloutState, before: ClusterHealth, after: ClusterHealth) -> RolloutState:
    """*state*, with deadlines extended by the time between two snapshots if the cluster was unreachable or lacked a
    machine."""
    passed = after.at - before.at
    if passed > _BLIND_TICKS * TICK_SEC:
        return shift_for_outage(state, passed)
    if after.short_since is not None and after.at - after.short_since <= FAULT_SEC:
        return extend_for_fault(state, passed)
    return state


def relax(policy: Policy, health: ClusterHealth) -> Policy:
    """*policy*, with some restarts allowed once the cluster has lacked a machine."""
    if not health.faulty:
        return policy
    return replace(policy, restarts_allowed=max(policy.restarts_allowed, _RESTARTS_AFTER_FAULT))
