"""How often the cluster is read: once for all who ask at the same time, and once for all resources of a refresh."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleetcaptain.fleet.entities import DesiredState, UnitEntity
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.polling import REFRESH_SEC
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of


@pytest.fixture
def cluster() -> FakeCluster:
    """A cluster with one unit."""
    return FakeCluster({"web@1.service": text_of("web")})


@pytest.fixture
def reads(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the cluster was read."""
    seen: list[float] = []
    units = cluster.fleet.units

    def read() -> tuple[UnitEntity, ...]:
        seen.append(cluster.now)
        return units()

    monkeypatch.setattr(cluster.fleet, "units", read)
    return seen


def test_one_read_serves_all_resources_of_a_refresh(cluster: FakeCluster, reads: list[float]) -> None:
    """The engine refreshes eight at a time, for as long as it takes."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cluster.snapshot_for_refresh(), range(100)))
    cluster.sleep(REFRESH_SEC - 1)
    cluster.snapshot_for_refresh()
    assert len(reads) == 1


def test_a_later_refresh_reads_again(cluster: FakeCluster, reads: list[float]) -> None:
    """As after a pause between a preview and its update."""
    cluster.snapshot_for_refresh()
    cluster.sleep(REFRESH_SEC + 1)
    cluster.snapshot_for_refresh()
    assert len(reads) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda cluster: cluster.put("web@1.service", UnitFile.parse(text_of("web", description="new"))),
        lambda cluster: cluster.set_desired_state("web@1.service", DesiredState.LOADED),
        lambda cluster: cluster.delete("web@1.service"),
        lambda cluster: cluster.unregister("web", "web@1.service"),
    ],
    ids=["put", "ask", "delete", "unregister"],
)
def test_a_refresh_shows_what_this_process_changed(
    cluster: FakeCluster, reads: list[float], change: Callable[[Cluster], None]
) -> None:
    """What was read before the change serves no refresh, whoever holds the lock."""
    cluster.snapshot_for_refresh()
    cluster.sleep(1)
    change(cluster.fenced(lambda: None))
    cluster.snapshot_for_refresh()
    cluster.snapshot_for_refresh()
    assert len(reads) == 2


def test_a_rollout_never_acts_on_what_a_refresh_read(cluster: FakeCluster, reads: list[float]) -> None:
    """Only a refresh may share what was read some seconds ago."""
    cluster.snapshot_for_refresh()
    cluster.sleep(1)
    cluster.snapshot()
    assert len(reads) == 2
