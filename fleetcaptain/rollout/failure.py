"""When a rollout cannot go on, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from fleetcaptain.rollout.instance import Instance
from fleetcaptain.rollout.values import Failure, Memory, Policy, Target, Track

__all__ = ["find_failure"]

_UNSCHEDULED_SEC = 30.0


def find_failure(
    observed: Mapping[str, Instance], target: Target, policy: Policy, memory: Memory, now: float
) -> Failure | None:
    """The first reason, if there is any, why *target* is not to be reached."""
    for name, track in memory.tracks.items():
        failed = observed[name].running == target.content and observed[name].active == "failed" and not track.stale
        if name in memory.done:
            reason = "systemd says that it failed, after it had been healthy" if failed else ""
        else:
            reason = "systemd says that it failed" if failed else _hopeless(track, observed[name], policy, now)
        if reason:
            return Failure(name, reason, unplaced=_unplaced(track, now))
    if memory.progress_at is not None and now - memory.progress_at > policy.progress_deadline_sec:
        waiting = next((name for name in memory.tracks if name not in memory.done), target.names[0])
        return Failure(waiting, f"no instance became healthy for {policy.progress_deadline_sec:.0f} s")
    return None


def _hopeless(track: Track, instance: Instance, policy: Policy, now: float) -> str:
    """Why an instance under way will not get there; empty while it may."""
    if track.restarts > policy.restarts_allowed:
        return "it does not stay up: systemd restarts it again and again"
    if _unplaced(track, now):
        return f"no machine took it within {_UNSCHEDULED_SEC:.0f} s"
    # A lost machine is no fault of the release: fleet takes the instance elsewhere.
    if not instance.lost and now - track.since > policy.healthy_deadline_sec + policy.min_healthy_sec:
        return f"it was not healthy within {policy.healthy_deadline_sec:.0f} s: {_lacks(instance)}"
    return ""


def _unplaced(track: Track, now: float) -> bool:
    return track.unplaced_since is not None and now - track.unplaced_since >= _UNSCHEDULED_SEC


def _lacks(instance: Instance) -> str:
    if instance.missing_bound:
        return f"{instance.missing_bound}, which is bound to it, does not run again"
    if instance.active == "active" and instance.sub == "running":
        if instance.registered is not None:
            return "it runs, but what is registered is of another text"
        return "it runs, but it has not registered itself"
    return f"systemd says {instance.active or 'nothing'}/{instance.sub or 'nothing'}"
