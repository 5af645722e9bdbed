"""What a rollout says of itself while it runs and when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from fleetcaptain.rollout.instance import Instance
from fleetcaptain.rollout.values import Decision, Policy, Target, Track

__all__ = ["Timing", "Voice", "progress", "summary", "timed"]

_AGAIN_SEC = 10.0


@dataclass(frozen=True)
class Timing:
    """When each instance was begun and done, by any clock's seconds."""

    begun: Mapping[str, float] = field(default_factory=dict)
    done: Mapping[str, float] = field(default_factory=dict)


class Voice:
    """Says a line when it is new, and again every ten seconds, so that a wait is not taken for a hang."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._last = ""
        self._said_at = 0.0

    def say(self, line: str, counted: str, now: float) -> None:
        """Report *counted*, which is *line* with the seconds left, if it is time to."""
        if line != self._last or now - self._said_at >= _AGAIN_SEC:
            self._report(counted)
            self._last, self._said_at = line, now


def timed(timing: Timing, decision: Decision, now: float) -> Timing:
    """*timing* with what *decision* began, and what it found done, at *now*."""
    begun = {**dict.fromkeys((*decision.stop, *decision.put), now), **timing.begun}
    done = {name: now for name in decision.memory.done if name in begun and name not in timing.done}
    return replace(timing, begun=begun, done={**timing.done, **done})


def progress(
    decision: Decision, target: Target, policy: Policy, observed: Mapping[str, Instance], now: float
) -> tuple[str, str]:
    """How many are done and what the others wait for: without the seconds left, which change always, and with them."""
    head = f"{len(decision.memory.done)}/{len(target.names)} healthy"
    plain, counted = [head], [head]
    for name in (*decision.stop, *decision.waiting):
        instance = observed[name]
        where = f" on {instance.machine}" if instance.machine else ""
        wait, left = _wait(instance, decision.memory.tracks.get(name), target, policy, now)
        text = f"{name.removesuffix('.service')}{where}: {wait}"
        plain.append(text)
        counted.append(f"{text}, {left:.0f} s left" if left is not None else text)
    return ", ".join(plain), ", ".join(counted)


def summary(target: Target, timing: Timing) -> str:
    """One line at the end: how many were replaced, the time of each, and the slowest."""
    took = {name: timing.done[name] - timing.begun[name] for name in target.names if name in timing.done}
    if not took:
        return f"{len(target.names)}/{len(target.names)} healthy"
    slowest = max(took, key=lambda name: took[name])
    head = f"{len(target.names)}/{len(target.names)} healthy; "
    if len(took) == 1:
        return f"{head}started in {took[slowest]:.1f} s"
    mean = sum(took.values()) / len(took)
    worst = f"{slowest.removesuffix('.service')} {took[slowest]:.1f} s"
    return f"{head}{len(took)} started, {mean:.1f} s each, slowest {worst}"


def _wait(
    instance: Instance, track: Track | None, target: Target, policy: Policy, now: float
) -> tuple[str, float | None]:
    """What an instance waits for, and the seconds that it may still take."""
    if instance.healthy(target.content):
        since = track.healthy_since if track and track.healthy_since is not None else now
        return "healthy, has to stay so", max(0.0, since + policy.min_healthy_sec - now)
    left = max(0.0, track.since + policy.healthy_deadline_sec - now) if track else None
    if instance.lost:
        return "its machine is lost, waiting for another", None
    if instance.running != target.content:
        return "waiting for fleet", left
    return _lacking(instance, target.content), left


def _lacking(instance: Instance, content: str) -> str:
    if instance.missing_bound:
        return f"waiting for {instance.missing_bound}, which is bound to it"
    if (instance.active, instance.sub) == ("active", "running"):
        return "its old process still runs" if instance.outlived(content) else "waiting for its registration"
    if instance.sub == "start-post":
        return "waiting until it is ready"
    return f"{instance.active}/{instance.sub}"
