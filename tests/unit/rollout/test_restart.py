"""A rolling restart goes by the same window as a new text, and touches no text."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import NotAvailable, RolloutFailed, RolloutMixed, UnitRefused
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.strategies.restart import RestartDriver, restart, to_restart
from fleetcaptain.units.mark import Mark, Ownership
from fleetcaptain.units.render_task import render_task
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, STACK, FakeCluster, text_of

ONE = Policy(min_healthy_sec=0)


def test_every_instance_restarts_once_one_after_the_other() -> None:
    """Each is stopped, seen down, started and healthy before the next one stops."""
    cluster = FakeCluster()
    names = cluster.launch_service("web", 3)
    restart(RestartDriver(cluster), to_restart(cluster.ownership, "web", cluster.snapshot()), ONE)
    assert cluster.history == [step for name in names for step in (f"loaded {name}", f"put {name}")]
    assert cluster.least_up == 2
    assert sorted(cluster.runs) == sorted(names)


def test_a_wider_window_restarts_more_at_once() -> None:
    """After the first one has proven itself."""
    cluster = FakeCluster()
    cluster.launch_service("web", 5)
    restart(
        RestartDriver(cluster),
        to_restart(cluster.ownership, "web", cluster.snapshot()),
        Policy(max_parallel=2, min_healthy_sec=0),
    )
    assert cluster.least_up == 3
    assert len(cluster.history) == 10


def test_a_service_that_is_not_there_cannot_restart() -> None:
    """The error has its name, and those that are there."""
    with pytest.raises(NotAvailable, match="No such service: the cluster has no unit of 'web' of the app"):
        to_restart(Ownership(APP, STACK), "web", FakeCluster().snapshot())
    cluster = FakeCluster({"web@1.service": text_of("web"), "db@1.service": text_of("db")})
    for ownership in (cluster.ownership, Ownership(APP, "")):
        with pytest.raises(NotAvailable, match=r"Use one of its services: db, web\."):
            to_restart(ownership, "wbe", cluster.snapshot())


@pytest.mark.parametrize(("every", "why"), [("*-*-* 03:30:00", "its calendar event"), ("", "a deployment runs")])
def test_a_task_is_no_service(every: str, why: str) -> None:
    """The error says what a task needs."""
    task = TaskSpec(ServiceSpec("nightly", "", "shop", ("x",)), every=every)
    cluster = FakeCluster()
    cluster.launch("nightly-task.service", render_task(task, Mark(APP, STACK, "nightly")).text)
    with pytest.raises(UnitRefused, match=f"nightly is a task and not a service[^`]*{why}"):
        to_restart(cluster.ownership, "nightly", cluster.snapshot())


def test_a_half_rolled_service_is_not_restarted() -> None:
    """A restart has one text to come back to."""
    cluster = FakeCluster()
    cluster.launch_service("web", 2)
    cluster.put("web@2.service", UnitFile.parse(text_of("web", description="another")))
    with pytest.raises(RolloutMixed, match="interrupted"):
        to_restart(cluster.ownership, "web", cluster.snapshot())


def test_a_failed_restart_says_who_was_not_restarted() -> None:
    """They were not touched."""
    cluster = FakeCluster(delay=1000)
    cluster.launch_service("web", 3)
    with pytest.raises(RolloutFailed, match=r"not restarted: web@2\.service, web@3\.service"):
        restart(
            RestartDriver(cluster),
            to_restart(cluster.ownership, "web", cluster.snapshot()),
            Policy(progress_deadline_sec=60),
        )
    assert cluster.history == ["loaded web@1.service"]


def test_a_restart_waits_as_long_as_the_units_limits() -> None:
    """It has no limits of its own; what is asked of it counts too."""
    slow = text_of("web", start_sec=900, stop_sec=100)
    policy = Policy(min_healthy_sec=700).for_file(UnitFile.parse(slow))
    assert (policy.healthy_deadline_sec, policy.progress_deadline_sec) == (1010, 1710)
    assert (
        Policy(healthy_deadline_sec=2000, progress_deadline_sec=3000)
        .for_file(UnitFile.parse(slow))
        .healthy_deadline_sec
        == 2000
    )
