"""Rollouts over random clusters: machines that die and come back, zones, growing and shrinking, a killed rollout."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.errors import Interrupted
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash

NEW = text_of("web", description="new")
EVENTS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["kill", "return"]), st.sampled_from(["10.0.0.1", "10.0.0.2"])),
    max_size=4,
)


def names(count: int) -> tuple[str, ...]:
    """Of so many instances."""
    return tuple(f"web@{number}.service" for number in range(1, count + 1))


def target(count: int) -> Target:
    """The new text on so many instances."""
    return Target("web", names(count), UnitFile.parse(NEW))


@st.composite
def clusters(draw: st.DrawFn) -> FakeCluster:
    """A service that runs, and what will happen to its machines."""
    cluster = FakeCluster(delay=draw(st.integers(0, 8)), zones=draw(st.booleans()), events=sorted(draw(EVENTS)))
    cluster.launch_service("web", draw(st.integers(1, 7)))
    cluster.blind = draw(st.integers(0, 60))
    return cluster


@given(cluster=clusters(), after=st.integers(1, 7), width=st.integers(1, 4))
def test_no_instance_that_serves_is_taken_beyond_the_window(cluster: FakeCluster, after: int, width: int) -> None:
    """Whoever took the others down. It ends with the new text everywhere, and faults of machines never fail it."""
    outcome = Driver(cluster).run(target(after), Policy(max_parallel=width, min_healthy_sec=1))
    assert outcome.failure is None
    assert {cluster.units[name].unit_hash for name in names(after)} == {unit_hash(NEW)}
    wanted = set(names(after))
    for name, others in cluster.taken_down:
        assert len(others & wanted - {name}) < width


@given(width=st.integers(1, 4), count=st.integers(2, 7), delay=st.integers(0, 8))
def test_zones_are_replaced_one_at_a_time(width: int, count: int, delay: int) -> None:
    """Never two instances of one service down in two of them, so long as no machine is lost."""
    cluster = FakeCluster(delay=delay, zones=True)
    cluster.launch_service("web", count)
    Driver(cluster).run(target(count), Policy(max_parallel=width, min_healthy_sec=1))
    assert len(cluster.taken_down) == count
    for name, others in cluster.taken_down:
        assert {cluster.zone_of(other) for other in others} <= {cluster.zone_of(name)}


@given(count=st.integers(1, 6), width=st.integers(1, 3), stops=st.lists(st.integers(0, 12), max_size=4))
def test_a_rollout_that_was_cut_off_again_and_again_goes_on(count: int, width: int, stops: list[int]) -> None:
    """Each begins with what the cluster shows; none replaces what is done, or more than the window allows."""
    cluster = FakeCluster()
    cluster.launch_service("web", count)
    policy = Policy(max_parallel=width, min_healthy_sec=1)
    for looks in stops:
        left = iter(range(looks))
        with suppress(Interrupted):
            Driver(cluster, stopping=lambda left=left: next(left, None) is None).run(target(count), policy)  # type: ignore[misc]
    assert Driver(cluster).run(target(count), policy).failure is None
    assert sorted(name for name, _ in cluster.taken_down) == sorted(names(count))
    assert all(len(others) < width for _, others in cluster.taken_down)


@given(count=st.integers(1, 6), looks=st.integers(0, 20))
def test_the_old_text_takes_a_rollout_back_from_anywhere(count: int, looks: int) -> None:
    """Only those instances that were touched are touched again."""
    cluster = FakeCluster()
    cluster.launch_service("web", count)
    old = next(iter(cluster.units.values())).text
    left = iter(range(looks))
    with suppress(Interrupted):
        Driver(cluster, stopping=lambda: next(left, None) is None).run(target(count), Policy(min_healthy_sec=1))
    touched = {name for name, unit in cluster.units.items() if unit.text != old}
    cluster.taken_down.clear()
    cluster.history.clear()
    Driver(cluster).run(Target("web", names(count), UnitFile.parse(old)), Policy(min_healthy_sec=1))
    assert {unit.text for unit in cluster.units.values()} == {old}
    assert {word.removeprefix("put ") for word in cluster.history if word.startswith("put ")} == touched
    assert DesiredState.LOADED not in "".join(cluster.history)
