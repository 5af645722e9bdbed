"""Nothing is changed on a cluster unless the rollout's lock was renewed just before."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleetcaptain.errors import Locked
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of

TEXT = text_of("web")


class Lock:
    """Counts renewals; *taken*: somebody else has it."""

    def __init__(self) -> None:
        self.renewed, self.taken = 0, False

    def renew(self) -> None:
        """Renew it."""
        if self.taken:
            raise Locked("somebody else has it")
        self.renewed += 1


def fenced() -> tuple[FakeCluster, Cluster, Lock]:
    """A cluster with a unit, the same cluster under a lock, and the lock."""
    cluster, lock = FakeCluster({"a": TEXT}), Lock()
    return cluster, cluster.fenced(lock.renew), lock


def changes(cluster: Cluster) -> tuple[Callable[[], None], ...]:
    """Each way to change something."""
    return (
        lambda: cluster.put("a", UnitFile.parse(TEXT)),
        lambda: cluster.set_desired_state("a", DesiredState.LOADED),
        lambda: cluster.delete("a"),
    )


def test_every_change_comes_after_a_renewal() -> None:
    """Of many at once, after one."""
    fake, cluster, lock = fenced()
    for number in range(60):
        cluster.put(f"web@{number}.service", UnitFile.parse(TEXT))
    assert (len(fake.history), lock.renewed) == (60, 1)
    for change in changes(cluster):
        fake.now += 1
        before = lock.renewed
        change()
        assert lock.renewed == before + 1


def test_a_process_that_lost_the_lock_changes_nothing() -> None:
    """As after a computer slept: the time in between has passed for the lock too."""
    fake, cluster, lock = fenced()
    cluster.put("a", UnitFile.parse(TEXT))
    fake.now, lock.taken = 3600, True
    for change in changes(cluster):
        with pytest.raises(Locked):
            change()
    assert fake.history == ["put a"]


def test_waits_renew_too_and_end_when_the_lock_is_lost() -> None:
    """Often enough for a lock of 30 s, and not at every look."""
    _, cluster, lock = fenced()
    cluster.sleep(30)
    assert 8 <= lock.renewed <= 16
    lock.taken = True
    with pytest.raises(Locked):
        cluster.sleep(30)
