"""A rebalancing spreads a service over its machines, one instance at a time, and only where that is better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.rebalance import plan_moves, why_fixed
from fleetcaptain.rollout.strategies.moving import MoveDriver, rebalance
from fleetcaptain.rollout.strategies.restart import to_restart
from tests.fakes.fake_cluster import FakeCluster, text_of

ONE = Policy(min_healthy_sec=0)
M1, M2, M3 = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def cluster_of(placed: dict[str, str], *machines: str, **keywords: Any) -> FakeCluster:
    """A cluster with units (name -> machine) of the services that they are named after."""
    cluster = FakeCluster(machines=machines or (M1, M2, M3))
    for name, machine in placed.items():
        cluster.launch(name, text_of(name.partition("@")[0], **keywords))
        cluster.units[name] = replace(cluster.units[name], machine_id=machine)
        cluster._register(cluster.units[name])
    return cluster


def web(*machines: str) -> dict[str, str]:
    """Instances of web on *machines*, in their order."""
    return {f"web@{number}.service": machine for number, machine in enumerate(machines, 1)}


def planned(cluster: FakeCluster, *services: str) -> list[tuple[str, str, str]]:
    """The moves of *services*: unit, from, to."""
    snapshot = cluster.snapshot()
    names = {one: tuple(name for name in snapshot.units if name.startswith(f"{one}@")) for one in services}
    return [(move.unit, move.source, move.destination) for move in plan_moves(snapshot, names)]


def test_a_machine_that_came_back_gets_its_share() -> None:
    """Three of four were on one machine."""
    assert planned(cluster_of(web(M1, M1, M1, M2)), "web") == [("web@1.service", M1, M3)]


@pytest.mark.parametrize("machines", [(M1, M2, M3), (M1, M2, M3, M1), (M1, M2), (M3,)])
def test_what_is_spread_stays(machines: tuple[str, ...]) -> None:
    """A move that only changes places is none."""
    assert planned(cluster_of(web(*machines)), "web") == []


def test_as_many_moves_as_are_needed() -> None:
    """Each unit once."""
    assert planned(cluster_of(web(M1, M1, M1, M1, M1, M1)), "web") == [
        ("web@1.service", M1, M2),
        ("web@2.service", M1, M3),
        ("web@3.service", M1, M2),
        ("web@4.service", M1, M3),
    ]


def test_the_cluster_counts_where_the_service_is_spread() -> None:
    """One instance of each of four services, two of them on one machine more than on the other."""
    placed = {f"{name}@1.service": M1 for name in ("a", "b", "c")} | {"a@2.service": M2}
    assert planned(cluster_of(placed, M1, M2), "b", "c") == [("b@1.service", M1, M2)]


def test_fleet_chooses_the_machine_with_the_fewest_units_of_all() -> None:
    """Others' units count; where fleet would put it back on the same machine there is no move."""
    others = {f"x@{number}.service": machine for number, machine in enumerate((M2, M2, M2, M3, M3, M3), 1)}
    assert planned(cluster_of({**web(M1, M1), **others}), "web") == []


def test_a_rule_of_fleet_decides_where_it_can_go() -> None:
    """A conflict keeps it away from a machine that has one already."""
    conflicts = {"conflicts": ("web@*.service",)}
    assert planned(cluster_of(web(M1, M2), M1, M2, M3, **conflicts), "web") == []


def test_a_fixed_port_that_is_taken_there_prevents_the_move() -> None:
    """fleet does not know ports, and would choose that machine."""
    from fleetcaptain.fleetfile.values import Port

    ports = (Port(80, 8080),)
    cluster = cluster_of({**web(M1, M1), "y@1.service": M2}, M1, M2, ports=ports)
    assert planned(cluster, "web") == []


def test_what_others_follow_stays() -> None:
    """A unit that has to be where it is would be moved by fleet without a window."""
    cluster = cluster_of(web(M1, M1, M1, M2))
    cluster.launch("side@1.service", text_of("side", machine_of=("web@1.service",)))
    cluster.units["side@1.service"] = replace(cluster.units["side@1.service"], machine_id=M1)
    assert [unit for unit, _, _ in planned(cluster, "web")] == ["web@2.service", "web@3.service"]


@pytest.mark.parametrize(
    ("instances", "keywords", "why"),
    [
        (1, {}, "it has one instance, which would be down meanwhile"),
        (2, {"machine_id": "abc"}, "its units are bound to their machines"),
        (1, {"service": (("Type", "oneshot"),)}, "it is a task, which has ended"),
        (2, {}, ""),
    ],
)
def test_what_cannot_be_moved_has_a_reason(instances: int, keywords: dict[str, object], why: str) -> None:
    """That is shown."""
    cluster = cluster_of(web(*[M1] * instances), **keywords)
    snapshot = cluster.snapshot()
    assert why_fixed(tuple(snapshot.units), snapshot) == why


def test_each_move_takes_one_instance_down() -> None:
    """It is off its machine before it starts again, and healthy before the next one stops."""
    cluster = cluster_of(web(M1, M1, M1, M1, M1, M1))
    said: list[str] = []
    target = to_restart(cluster.ownership, "web", cluster.snapshot())
    made = rebalance(MoveDriver(cluster), target, ONE, said.append)
    assert [(move.unit, move.destination) for move in made] == [
        (f"web@{number}.service", machine) for number, machine in enumerate((M2, M3, M2, M3), 1)
    ]
    steps = [f"{step} web@{number}.service" for number in range(1, 5) for step in ("inactive", "put")]
    assert cluster.history == steps
    assert cluster.least_up == 5
    assert said[0] == f"moving web@1.service from {M1} to {M2}"
    assert planned(cluster, "web") == []


def test_an_instance_that_does_not_come_back_ends_it() -> None:
    """The others stay where they are."""
    cluster = cluster_of(web(M1, M1, M1, M1))
    cluster.delay = 1000
    target = to_restart(cluster.ownership, "web", cluster.snapshot())
    with pytest.raises(RolloutFailed, match="the other instances were not moved"):
        rebalance(MoveDriver(cluster), target, Policy(progress_deadline_sec=60), lambda _line: None)
    assert cluster.history == ["inactive web@1.service"]


@pytest.mark.parametrize("machines", [(M1, M1, M1, M1), (M1, M2, M3)])
def test_an_interrupted_move_is_finished_by_the_next_one(machines: tuple[str, ...]) -> None:
    """The unit is off its machine, and is started again first."""
    cluster = cluster_of(web(*machines))
    cluster.units["web@1.service"] = replace(
        cluster.units["web@1.service"], desired="inactive", current="inactive", machine_id=None
    )
    cluster._stop("web@1.service")
    target = to_restart(cluster.ownership, "web", cluster.snapshot())
    rebalance(MoveDriver(cluster), target, ONE, lambda _line: None)
    assert sorted(unit.desired for unit in cluster.units.values()) == ["launched"] * len(machines)
    assert planned(cluster, "web") == []
