"""Faults of the cluster are waited out, and not taken for a bad release."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import ClusterUnreachable, RolloutFailed
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.health import FAULT_SEC, ClusterHealth, extend_deadlines, relax, update_health
from fleetcaptain.rollout.model import Policy, Progress, RolloutState, Target
from fleetcaptain.rollout.strategies.rolling import install, roll
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of

BEGUN = RolloutState({"web@1.service": Progress(since=10, healthy_since=12, unplaced_since=11)}, progress_at=10)


def new_text(names: tuple[str, ...]) -> Target:
    """A changed text of the service web."""
    text = text_of("web", description="new")
    return Target("web", names, UnitFile.parse(text))


def test_a_blind_time_counts_neither_for_nor_against() -> None:
    """Deadlines and bake time alike move by it."""
    moved = extend_deadlines(BEGUN, ClusterHealth(20), ClusterHealth(50))
    assert moved.in_progress["web@1.service"] == Progress(since=40, healthy_since=42, unplaced_since=41)
    assert moved.progress_at == 40


def test_a_missing_machine_stops_the_deadlines_but_not_the_bake_time() -> None:
    """What runs elsewhere proves itself meanwhile."""
    moved = extend_deadlines(BEGUN, ClusterHealth(20), update_health(ClusterHealth(20, frozenset("ab")), "a", 21))
    assert moved.in_progress["web@1.service"] == Progress(since=11, healthy_since=12, unplaced_since=12)
    assert moved.progress_at == 11


def test_a_machine_that_stays_away_counts_in_the_end() -> None:
    """Else a rollout would wait for ever."""
    short = ClusterHealth(10 + FAULT_SEC, frozenset("ab"), short_since=10, faulty=True)
    assert extend_deadlines(BEGUN, short, update_health(short, "a", short.at + 1)) == BEGUN


def test_a_machine_that_is_back_is_no_fault_any_more_but_is_remembered() -> None:
    """Units exit on it until docker is there; that is forgiven from then on."""
    back = update_health(update_health(ClusterHealth(0, frozenset("ab")), "a", 1), "ab", 2)
    assert back.short_since is None
    assert (
        relax(Policy(), back).restarts_allowed
        > Policy().restarts_allowed
        == relax(Policy(), ClusterHealth(0, frozenset("ab"))).restarts_allowed
    )


def test_a_roll_goes_on_after_the_cluster_did_not_answer_for_minutes() -> None:
    """Longer than its own deadlines."""
    cluster = FakeCluster()
    names = cluster.launch_service("web", 3)
    cluster.blind = 400
    roll(Driver(cluster), new_text(names), Policy(min_healthy_sec=0, healthy_deadline_sec=30), True)
    assert set(cluster.runs.values()) == {new_text(names).unit_hash}


def test_a_cluster_that_never_answers_ends_the_rollout() -> None:
    """After ten minutes, by the error that names the cause."""
    cluster = FakeCluster()
    names = cluster.launch_service("web", 2)
    cluster.blind = 10_000
    with pytest.raises(ClusterUnreachable, match="nothing answers"):
        Driver(cluster).run(new_text(names), Policy())


def test_an_instance_that_no_machine_takes_fails_with_the_rule_and_the_machine() -> None:
    """fleet itself says nothing."""
    cluster = FakeCluster(machines=["10.0.0.1"], homeless=["web@1.service"])
    text = text_of("web", machine_metadata=("disk=ssd",))
    target = Target("web", ("web@1.service",), UnitFile.parse(text))
    with pytest.raises(RolloutFailed, match=r"no machine took it within 30 s: .*10\.0\.0\.1.*disk=ssd"):
        install(Driver(cluster), target, Policy())


def test_a_wait_is_said_again_every_thirty_seconds() -> None:
    """So that it is not taken for a hang, and not at every look either."""
    cluster = FakeCluster(delay=70)
    names = cluster.launch_service("web", 1)
    said: list[str] = []
    Driver(cluster, said.append).run(new_text(names), Policy(min_healthy_sec=0))
    waits = [line for line in said if "waiting for fleet" in line]
    assert 2 <= len(waits) <= 4
    assert len(set(waits)) == len(waits)


def test_a_rollout_says_one_line_for_each_instance() -> None:
    """What it begins with, each instance that is done, and how long it took; the states in between are its history."""
    cluster = FakeCluster()
    names = cluster.launch_service("web", 4)
    said: list[str] = []
    Driver(cluster, said.append).run(new_text(names), Policy(min_healthy_sec=2))
    assert [line.partition(" ")[0] for line in said] == ["0/4", "1/4", "2/4", "3/4", "4/4"]
    assert "web@2 on" in said[1]
    assert "4 started" in said[-1]
