"""The sliding window: what to do next, from what the cluster reports now. Pure, and level-triggered.

A killed rollout needs no memory to go on: instances that already run the target content are done, the others are
replaced. `Memory` holds only what no single look can show: since when an instance has been healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fleetcaptain.rollout.instance import Instance

__all__ = ["Decision", "Failure", "Memory", "Policy", "Target", "Track", "decide", "parallel"]

_UNSCHEDULED_SEC = 30.0
_STALE_SEC = 15.0


@dataclass(frozen=True)
class Target:
    """What is wanted: every unit in *names* has *text*, whose SHA1 is *content*."""

    service: str
    names: tuple[str, ...]
    text: str
    content: str


@dataclass(frozen=True)
class Policy:
    """How a window moves; see `fleetcaptain.fleetfile.values.Rolling`. All times in seconds.

    *first_alone*: nothing else starts before one instance with the target content has proven itself.
    *restarts_allowed*: how often systemd may restart an instance before that counts as a failure.
    """

    max_parallel: int = 1
    first_alone: bool = True
    min_healthy_sec: float = 10
    healthy_deadline_sec: float = 300
    progress_deadline_sec: float = 600
    restarts_allowed: int = 0


@dataclass(frozen=True)
class Track:
    """One instance under way: *since* when, healthy since when, and how often systemd restarted it.

    *stale*: it had failed before it was started again under the same text, and no newer state has been seen yet.
    """

    since: float
    healthy_since: float | None = None
    restarts: int = 0
    restarting: bool = False
    stale: bool = False


@dataclass(frozen=True)
class Memory:
    """What the last decision knew. *done* holds the instances that proved themselves."""

    tracks: Mapping[str, Track] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    progress_at: float | None = None


@dataclass(frozen=True)
class Failure:
    """Why a rollout cannot go on: the *unit* and the *reason*, one clause."""

    unit: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """*put*: give these units the target text and launch them. *stop*: these must stop before they can start again.
    *waiting*: the instances under way. *finished*: nothing is left to do. *failure*: nothing more may be touched."""

    memory: Memory
    put: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    finished: bool = False
    failure: Failure | None = None


def parallel(wanted: int | str, instances: int) -> int:
    """How many of *instances* may be down at once: *wanted*, or a share of them such as ``"25%"``, at least one."""
    if isinstance(wanted, str):
        return max(1, instances * int(wanted.removesuffix("%")) // 100)
    return int(wanted)


def decide(observed: Mapping[str, Instance], target: Target, policy: Policy, memory: Memory, now: float) -> Decision:
    """The next step towards *target*. *observed* has an entry for every name of it; *now* is any clock's seconds."""
    memory = _remember(observed, target, policy, memory, now)
    under_way = tuple(name for name in target.names if name in memory.tracks and name not in memory.done)
    left = [name for name in target.names if name not in memory.done and name not in memory.tracks]
    if not under_way and not left:
        return Decision(memory, finished=True)
    failure = _failure(observed, target, policy, memory, now)
    if failure is not None:
        return Decision(memory, waiting=under_way, failure=failure)
    stop = tuple(name for name in left if _must_stop(observed[name], target))
    startable = [name for name in left if name not in stop]
    chosen = _window(observed, startable, policy, in_flight=len(under_way) + len(stop), proven=bool(memory.done))
    started = {name: Track(since=now, stale=observed[name].active == "failed") for name in chosen}
    tracks = {**memory.tracks, **started}
    return Decision(replace(memory, tracks=tracks), put=chosen, stop=stop, waiting=(*under_way, *chosen))


def _remember(observed: Mapping[str, Instance], target: Target, policy: Policy, memory: Memory, now: float) -> Memory:
    first_look = memory.progress_at is None
    tracks = dict(memory.tracks)
    done = set(memory.done)
    progress_at = now if memory.progress_at is None else memory.progress_at
    for name in target.names:
        instance = observed[name]
        if instance.content != target.content or instance.desired != "launched":
            tracks.pop(name, None)
            done.discard(name)
            continue
        if name in done:
            continue
        healthy = instance.healthy(target.content)
        if first_look and healthy:
            done.add(name)  # it ran before this rollout began
            continue
        if name not in tracks:
            if first_look and instance.active == "failed":
                continue  # it failed before this rollout began: to be started again
            tracks[name] = Track(since=now)
        track = tracks[name] = _track(tracks[name], instance, target, healthy, now)
        if track.healthy_since is not None and healthy and now - track.healthy_since >= policy.min_healthy_sec:
            done.add(name)
            progress_at = now
    return Memory(tracks, frozenset(done), progress_at)


def _track(track: Track, instance: Instance, target: Target, healthy: bool, now: float) -> Track:
    if healthy:
        since = now if track.healthy_since is None else track.healthy_since
        return replace(track, healthy_since=since, restarting=False, stale=False)
    if instance.running is None:
        return track  # no state is reported: unknown, not down
    restarting = instance.running == target.content and instance.sub == "auto-restart"
    restarts = track.restarts + (restarting and not track.restarting)
    stale = track.stale and instance.active == "failed" and now - track.since < _STALE_SEC
    return replace(track, healthy_since=None, restarts=restarts, restarting=restarting, stale=stale)


def _failure(
    observed: Mapping[str, Instance], target: Target, policy: Policy, memory: Memory, now: float
) -> Failure | None:
    for name, track in memory.tracks.items():
        if name in memory.done:
            continue
        instance = observed[name]
        if instance.running == target.content and instance.active == "failed" and not track.stale:
            return Failure(name, "systemd says that it failed")
        if track.restarts > policy.restarts_allowed:
            return Failure(name, "it does not stay up: systemd restarts it again and again")
        waited = now - track.since
        if instance.machine is None and instance.running is None and waited > _UNSCHEDULED_SEC:
            return Failure(name, f"no machine took it within {_UNSCHEDULED_SEC:.0f} s")
        if waited > policy.healthy_deadline_sec + policy.min_healthy_sec:
            return Failure(name, f"it was not healthy within {policy.healthy_deadline_sec:.0f} s: {_lacks(instance)}")
    if memory.progress_at is not None and now - memory.progress_at > policy.progress_deadline_sec:
        waiting = next((name for name in memory.tracks if name not in memory.done), target.names[0])
        return Failure(waiting, f"no instance became healthy for {policy.progress_deadline_sec:.0f} s")
    return None


def _lacks(instance: Instance) -> str:
    if instance.active == "active" and instance.sub == "running":
        return "it runs, but it has not registered itself"
    return f"systemd says {instance.active or 'nothing'}/{instance.sub or 'nothing'}"


def _must_stop(instance: Instance, target: Target) -> bool:
    """fleet starts nothing that it believes to be launched, and drops a stop and a start within one second: so a
    unit that is to be started again under the same text has to be seen stopped first."""
    if instance.content != target.content:
        return False
    return instance.active == "failed" if instance.desired == "launched" else not instance.stopped


def _window(
    observed: Mapping[str, Instance], startable: list[str], policy: Policy, in_flight: int, proven: bool
) -> tuple[str, ...]:
    """The units to replace now. Those that do not serve come first: replacing them costs no availability."""
    limit = policy.max_parallel if proven or not policy.first_alone else 1
    first_down = sorted(startable, key=lambda name: observed[name].serving)
    return tuple(first_down[: max(0, limit - in_flight)])
