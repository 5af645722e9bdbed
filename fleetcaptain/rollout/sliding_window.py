"""The sliding window: decides the next actions from the observed state of the cluster. Pure and level-triggered.

A rollout resumes without saved state: instances that already run the target text are done, the others are replaced.
`RolloutState` holds only what a single snapshot cannot show: since when an instance has been healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fleetcaptain.rollout.health import Instance, find_failure
from fleetcaptain.rollout.model import Decision, Policy, Progress, RolloutState, Target

__all__ = ["decide"]

_STALE_SEC = 15.0
# fleet reports a new text within a second or two, and systemd's state of it sometimes later; and the start of a unit
# may wait for another one.
_STUCK_SEC = 15.0


def decide(
    observed: Mapping[str, Instance], target: Target, policy: Policy, state: RolloutState, now: float
) -> Decision:
    """The next actions towards *target*. *observed* has an entry for each of its names; *now*: seconds of any clock."""
    state = _remember(observed, target, policy, state, now)
    under_way = tuple(name for name in target.names if name in state.in_progress and name not in state.done)
    left = [name for name in target.names if name not in state.done and name not in state.in_progress]
    if not under_way and not left:
        return Decision(state, finished=True)
    failure = find_failure(observed, target, policy, state, now)
    if failure is not None:
        return Decision(state, waiting=under_way, failure=failure)
    stop = tuple(name for name in left if _must_stop(observed[name], target))
    startable = [name for name in left if name not in stop]
    chosen = _window(observed, startable, (*under_way, *stop), policy, proven=bool(state.done))
    started = {name: Progress(since=now, stale=observed[name].active == "failed") for name in chosen}
    in_progress = {**state.in_progress, **started}
    return Decision(replace(state, in_progress=in_progress), put=chosen, stop=stop, waiting=(*under_way, *chosen))


def _remember(
    observed: Mapping[str, Instance], target: Target, policy: Policy, state: RolloutState, now: float
) -> RolloutState:
    first_look = state.progress_at is None
    in_progress = dict(state.in_progress)
    done = set(state.done)
    retried = set(state.retried)
    progress_at = now if state.progress_at is None else state.progress_at
    for name in target.names:
        instance = observed[name]
        if instance.unit_hash != target.unit_hash or instance.desired != "launched":
            in_progress.pop(name, None)
            done.discard(name)
            continue
        if name in done:
            continue
        healthy = instance.healthy(target.unit_hash)
        if first_look and healthy:
            done.add(name)  # it ran before this rollout began
            continue
        if name not in in_progress:
            if first_look and (instance.active == "failed" or instance.halted or instance.failing):
                continue  # it ended, or hung, before this rollout began: start it again
            in_progress[name] = Progress(since=now)
        track = in_progress[name] = _track(_placed(in_progress[name], instance, now), instance, target, healthy, now)
        if track.stuck_since is not None and now - track.stuck_since >= _STUCK_SEC and name not in retried:
            retried.add(name)
            del in_progress[name]  # stop it, then start it again
        elif track.healthy_since is not None and healthy and now - track.healthy_since >= policy.min_healthy_sec:
            done.add(name)
            progress_at = now
    return RolloutState(in_progress, frozenset(done), progress_at, frozenset(retried))


def _placed(track: Progress, instance: Instance, now: float) -> Progress:
    if not instance.unplaced:
        return replace(track, unplaced_since=None)
    return track if track.unplaced_since is not None else replace(track, unplaced_since=now)


def _track(track: Progress, instance: Instance, target: Target, healthy: bool, now: float) -> Progress:
    if healthy:
        since = now if track.healthy_since is None else track.healthy_since
        return replace(track, healthy_since=since, restarting=False, stale=False, stuck_since=None)
    if instance.running is None:
        return track  # no state is reported: unknown, not down
    # A failing alive check counts as a restart: the machine agent would restart it, were it not for the rollout.
    down = instance.sub == "auto-restart" or bool(instance.failing)
    restarting = instance.running == target.unit_hash and down
    restarts = track.restarts + (restarting and not track.restarting)
    stale = track.stale and instance.active == "failed" and now - track.since < _STALE_SEC
    began = now if track.stuck_since is None else track.stuck_since
    stuck = began if instance.stuck(target.unit_hash) else None
    return replace(track, healthy_since=None, restarts=restarts, restarting=restarting, stale=stale, stuck_since=stuck)


def _must_stop(instance: Instance, target: Target) -> bool:
    """Whether a unit must be seen stopped before it is started again with the same text: fleet does not start a unit
    that it believes to be launched, and drops a stop and a start within one second."""
    if instance.unit_hash != target.unit_hash:
        return False
    if instance.desired != "launched":
        return not instance.stopped
    return instance.active == "failed" or instance.stuck(target.unit_hash) or bool(instance.failing)


def _window(
    observed: Mapping[str, Instance], startable: list[str], under_way: tuple[str, ...], policy: Policy, proven: bool
) -> tuple[str, ...]:
    """The units to replace now: at most the limit at once, with all units that are down in one failure domain.

    Units that do not serve come first: their replacement costs no capacity. A serving unit is replaced only while fewer
    units than the limit are down, for any reason, and none is down in another zone.
    """
    limit = policy.max_parallel if proven or not policy.first_alone else 1
    down = [name for name, instance in observed.items() if not instance.serving and instance.unit_hash is not None]
    down = sorted({*down, *under_way})
    chosen: list[str] = []
    for name in sorted(startable, key=lambda name: observed[name].serving):
        if len(under_way) + len(chosen) >= limit:
            break
        if observed[name].serving:
            zones = {observed[other].zone for other in (*down, *chosen)} - {""}
            if len({*down, *chosen}) >= limit or not zones <= {observed[name].zone}:
                continue
        chosen.append(name)
    return tuple(chosen)
