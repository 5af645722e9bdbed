"""A service gets more or fewer instances under the text that it has."""

from __future__ import annotations

from typing import Any

import pytest

from fleetcaptain.errors import RolloutFailed, UnitRefused
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.strategies.restart import to_restart
from fleetcaptain.rollout.strategies.scaling import refuse_unscalable, scale, scaled
from tests.fakes.fake_cluster import MACHINES, FakeCluster, text_of

ONE = Policy(min_healthy_sec=0)


def bring(cluster: FakeCluster, instances: int, policy: Policy = ONE) -> None:
    """Scale web to *instances*."""
    snapshot = cluster.snapshot()
    present = to_restart(cluster.ownership, "web", snapshot)
    refuse_unscalable(present, snapshot)
    scale(Driver(cluster), snapshot, scaled(present, instances, snapshot), policy)


@pytest.mark.parametrize(
    ("instances", "history"),
    [
        (4, [f"put web@{number}.service" for number in (3, 4)]),
        (2, []),
        (1, ["loaded web@2.service", "delete web@2.service"]),
    ],
)
def test_only_what_is_too_many_or_too_few_is_touched(instances: int, history: list[str]) -> None:
    """The others keep running, with the same text."""
    cluster = FakeCluster()
    cluster.launch_service("web", 2)
    bring(cluster, instances)
    assert cluster.history == history
    assert len(cluster.runs) == instances
    assert len({unit.unit_hash for unit in cluster.units.values()}) == 1


def test_new_instances_that_do_not_come_up_are_removed() -> None:
    """As they were not there."""
    cluster = FakeCluster(homeless=["web@3.service", "web@4.service"])
    cluster.launch_service("web", 2)
    with pytest.raises(RolloutFailed, match="no machine took it"):
        bring(cluster, 4)
    assert sorted(cluster.units) == ["web@1.service", "web@2.service"]
    assert cluster.least_up == 2


def test_what_does_not_fit_changes_nothing() -> None:
    """Three machines have a port three times."""
    from fleetcaptain.fleetfile.values import Port

    cluster = FakeCluster()
    cluster.launch_service("web", 3, ports=(Port(80, 8080),))
    with pytest.raises(RolloutFailed, match="Nothing was changed"):
        bring(cluster, 4)
    assert cluster.history == []


@pytest.mark.parametrize(
    ("name", "keywords", "why"),
    [
        ("web-abcdef1@1.service", {}, "blue/green"),
        (f"web@{MACHINES[0]}.service", {"global_unit": True}, "one instance on every machine"),
        ("web.service", {"x_fleet": (("Global", "true"),)}, "one instance on every machine"),
        ("web@1.service", {"service": (("Type", "oneshot"),)}, "it is a task"),
    ],
)
def test_a_service_without_a_number_is_refused(name: str, keywords: dict[str, Any], why: str) -> None:
    """With the reason; nothing is changed."""
    cluster = FakeCluster()
    cluster.launch(name, text_of("web", **keywords))
    with pytest.raises(UnitRefused, match=why):
        bring(cluster, 2)
    assert cluster.history == []
