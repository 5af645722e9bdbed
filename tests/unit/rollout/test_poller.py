"""How often the cluster is read: once for all who ask at the same time, and once for all resources of a refresh."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from fleetcaptain.fleet.values import DesiredState, FleetUnit, Machine, UnitState
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.poller import REFRESH_SEC


class Counted:
    """fleet and etcd in one, with nothing in them. *reads* counts the readings; *now* is the time."""

    def __init__(self) -> None:
        self.reads, self.now = 0, 100.0

    def units(self) -> tuple[FleetUnit, ...]:
        """None; a reading asks this once."""
        self.reads += 1
        return ()

    def states(self) -> tuple[UnitState, ...]:
        """None."""
        return ()

    def machines(self) -> tuple[Machine, ...]:
        """None."""
        return ()

    def below(self, _directory: str) -> tuple[Any, ...]:
        """No registrations."""
        return ()

    def put(self, *_: object) -> None:
        """A text."""

    def set_desired(self, *_: object) -> None:
        """A desired state."""

    def delete(self, *_: object) -> None:
        """A unit, or a key."""


@pytest.fixture
def counted() -> Counted:
    """A cluster that counts."""
    return Counted()


@pytest.fixture
def cluster(counted: Counted) -> Cluster:
    """It, as rollouts see it."""
    both = cast(Any, counted)
    return Cluster("shop", both, both, cast(Any, None), clock=lambda: counted.now)


def test_one_reading_serves_all_resources_of_a_refresh(counted: Counted, cluster: Cluster) -> None:
    """The engine refreshes eight at a time, for as long as it takes."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cluster.look_for_refresh(), range(100)))
    counted.now += REFRESH_SEC - 1
    cluster.look_for_refresh()
    assert counted.reads == 1


def test_a_later_refresh_reads_again(counted: Counted, cluster: Cluster) -> None:
    """As after somebody thought about a preview."""
    cluster.look_for_refresh()
    counted.now += REFRESH_SEC + 1
    cluster.look_for_refresh()
    assert counted.reads == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda cluster: cluster.put("web@1.service", "text"),
        lambda cluster: cluster.ask("web@1.service", DesiredState.LOADED),
        lambda cluster: cluster.delete("web@1.service"),
        lambda cluster: cluster.unregister("web", "web@1.service"),
    ],
    ids=["put", "ask", "delete", "unregister"],
)
def test_a_refresh_shows_what_this_process_changed(
    counted: Counted, cluster: Cluster, change: Callable[[Cluster], None]
) -> None:
    """A reading from before the change serves no refresh, whoever holds the lock."""
    cluster.look_for_refresh()
    counted.now += 1
    change(cluster.fenced(lambda: None))
    cluster.look_for_refresh()
    cluster.look_for_refresh()
    assert counted.reads == 2


def test_a_rollout_never_acts_on_an_earlier_reading(counted: Counted, cluster: Cluster) -> None:
    """Only a refresh may share what was read some seconds ago."""
    cluster.look_for_refresh()
    counted.now += 1
    cluster.look()
    assert counted.reads == 2
