"""A network load balancer, and the instances of a service during a rollout, on a clock that is a number.

Each node of the balancer checks each target by itself, at its own moments, and changes its mind after some equal
answers in a row. It spreads new connections evenly over the targets that it believes in, and over all of them when it
believes in none. With *passive* checks it also drops a target at once that refuses a connection. AWS documents all of
that, but not how soon its passive checks notice, so both extremes are modelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Checks", "Rollout", "lost_share"]

_TICK_SEC = 0.25
_NODES = 3
# Targets are not checked at the same moment: this part of an interval is between two of them.
_BETWEEN_TARGETS = 0.37
# The balancer has believed in all instances for a while.
_BEFORE_SEC, _AFTER_SEC = 5.0, 60.0


@dataclass(frozen=True)
class Checks:
    """A health check each *interval_sec*; *times* equal answers in a row count. *passive*: see above."""

    interval_sec: float
    times: int
    passive: bool = False


@dataclass(frozen=True)
class Rollout:
    """One of *instances* after the other: it is unregistered, serves for *leave_sec*, is down for *closed_sec*, and
    must then be healthy for *bake_sec* before the next one. *by_port*: the balancer asks the instance's port, and not
    whether it is registered. *idle* machines have no instance."""

    instances: int
    leave_sec: float
    closed_sec: float
    bake_sec: float
    by_port: bool = False
    idle: int = 0

    @property
    def step_sec(self) -> float:
        """From one instance to the next."""
        return self.leave_sec + self.closed_sec + self.bake_sec

    def is_open(self, target: int, at: float) -> bool:
        """Whether *target* takes connections."""
        begin = target * self.step_sec + self.leave_sec
        return target < self.instances and not begin <= at < begin + self.closed_sec

    def passes(self, target: int, at: float) -> bool:
        """Whether a health check of *target* succeeds."""
        begin = target * self.step_sec + (self.leave_sec if self.by_port else 0)
        return target < self.instances and not begin <= at < target * self.step_sec + self.leave_sec + self.closed_sec


class _Node:
    """What one node believes; *phase*: the part of an interval at which its checks of the first target come."""

    def __init__(self, rollout: Rollout, checks: Checks, phase: float) -> None:
        self._rollout, self._checks = rollout, checks
        self._targets = range(rollout.instances + rollout.idle)
        self._healthy = [target < rollout.instances for target in self._targets]
        self._streak = [0 for _ in self._targets]
        phases = ((phase + target * _BETWEEN_TARGETS) % 1 for target in self._targets)
        self._due = [-_BEFORE_SEC + one * checks.interval_sec for one in phases]

    def check(self, at: float) -> None:
        """The checks that are due."""
        for target in self._targets:
            while self._due[target] <= at:
                passed = self._rollout.passes(target, self._due[target])
                self._streak[target] = 0 if passed == self._healthy[target] else self._streak[target] + 1
                if self._streak[target] >= self._checks.times:
                    self._healthy[target], self._streak[target] = passed, 0
                self._due[target] += self._checks.interval_sec

    def refused(self, at: float) -> float:
        """The share of the new connections that are refused."""
        believed = [target for target in self._targets if self._healthy[target]] or list(self._targets)
        closed = [target for target in believed if not self._rollout.is_open(target, at)]
        if self._checks.passive:
            for target in closed:
                self._healthy[target], self._streak[target] = False, 0
        return len(closed) / len(believed)


def _moments(rollout: Rollout) -> Iterator[float]:
    ticks = int((_BEFORE_SEC + rollout.instances * rollout.step_sec + _AFTER_SEC) / _TICK_SEC)
    return (number * _TICK_SEC - _BEFORE_SEC for number in range(ticks))


def lost_share(rollout: Rollout, checks: Checks, phases: Sequence[float] = (0.0, 0.2, 0.4, 0.6, 0.8)) -> float:
    """The share of the new connections from the begin of the *rollout* to its end that is refused: the mean over nodes
    whose checks come at each of *phases*."""
    end = rollout.instances * rollout.step_sec
    shares = []
    for first in phases:
        nodes = [_Node(rollout, checks, (first + number / _NODES) % 1) for number in range(_NODES)]
        for at in _moments(rollout):
            for node in nodes:
                node.check(at)
            refused = [node.refused(at) for node in nodes]
            if at >= 0:
                shares.append((at, sum(refused) / _NODES))
    counted = [share for at, share in shares if at < end or share]
    return sum(counted) / len(counted)
