"""Nothing is changed on a cluster unless the rollout's lock was renewed just before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from fleetcaptain.errors import Locked
from fleetcaptain.fleet.values import DesiredState
from fleetcaptain.rollout.cluster import Cluster


class Fleet:
    """Notes what is changed."""

    def __init__(self) -> None:
        self.changes: list[str] = []

    def put(self, name: str, _text: str, _desired: DesiredState) -> None:
        """A text."""
        self.changes.append(f"put {name}")

    def set_desired(self, name: str, desired: DesiredState) -> None:
        """A desired state."""
        self.changes.append(f"{desired} {name}")

    def delete(self, name: str) -> None:
        """No more."""
        self.changes.append(f"delete {name}")


class Lock:
    """Counts renewals; *taken*: somebody else has it."""

    def __init__(self) -> None:
        self.renewed, self.taken = 0, False

    def renew(self) -> None:
        """Renew it."""
        if self.taken:
            raise Locked("somebody else has it")
        self.renewed += 1


class Time:
    """Seconds that pass when slept."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        """They pass."""
        self.now += seconds


def fenced() -> tuple[Cluster, Fleet, Lock, Time]:
    """A cluster under a lock."""
    fleet, lock, time = Fleet(), Lock(), Time()
    nobody: Any = None
    cluster = Cluster("shop", cast(Any, fleet), nobody, nobody, clock=lambda: time.now, sleep=time.sleep)
    return cluster.fenced(lock.renew), fleet, lock, time


def changes(cluster: Cluster) -> tuple[Callable[[], None], ...]:
    """Each way to change something."""
    return (
        lambda: cluster.put("a", "text"),
        lambda: cluster.ask("a", DesiredState.LOADED),
        lambda: cluster.delete("a"),
    )


def test_every_change_comes_after_a_renewal() -> None:
    """Of many at once, after one."""
    cluster, fleet, lock, time = fenced()
    for number in range(60):
        cluster.put(f"web@{number}.service", "text")
    assert (len(fleet.changes), lock.renewed) == (60, 1)
    for change in changes(cluster):
        time.now += 1
        before = lock.renewed
        change()
        assert lock.renewed == before + 1


def test_who_lost_the_lock_changes_nothing() -> None:
    """As after a computer slept: the time in between has passed for the lock too."""
    cluster, fleet, lock, time = fenced()
    cluster.put("a", "text")
    time.now, lock.taken = 3600, True
    for change in changes(cluster):
        with pytest.raises(Locked):
            change()
    assert fleet.changes == ["put a"]


def test_waits_renew_too_and_end_when_the_lock_is_lost() -> None:
    """Often enough for a lock of 30 s, and not at every look."""
    cluster, _, lock, _ = fenced()
    cluster.sleep(30)
    assert 8 <= lock.renewed <= 16
    lock.taken = True
    with pytest.raises(Locked):
        cluster.sleep(30)
