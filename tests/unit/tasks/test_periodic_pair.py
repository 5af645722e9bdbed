"""The units of a periodic task on a cluster: installed without a run, replaced after a run, removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.discovery.keys import task_key
from fleetcaptain.errors import Interrupted, RolloutFailed, UnitRefused
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.tasks.install_pair import install_pair, remove_pair
from fleetcaptain.tasks.periodic_pair import INSTALLED, PeriodicPair, pair_state, pairs_on
from fleetcaptain.tasks.run_task import LOST_SEC
from fleetcaptain.tasks.task_run import RunState, TaskRun
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task, render_timer
from tests.fakes.fake_cluster import APP, STACK
from tests.fakes.fake_site import Site

SERVICE, TIMER = "nightly-task.service", "nightly-task.timer"
KEY = task_key(APP, "nightly")


def pair_of(command: str = "report", every: str = "*-*-* 03:30:00", stack: str = STACK, **more: object) -> PeriodicPair:
    """The pair of the task with this *command*."""
    task = TaskSpec(ServiceSpec("nightly", "", "shop", (command,), **more), every=every)  # type: ignore[arg-type]
    mark = Mark(APP, stack, "nightly")
    return PeriodicPair("nightly", render_task(task, mark).with_image("shop@sha256:1"), render_timer(task, mark))


PAIR, OTHER = pair_of(), pair_of("other")
RUN = TaskRun(RunState.RUNNING, SERVICE, PAIR.service.unit_hash, "x.timer", "2026-01-02T03:04:05Z", "m1")


@pytest.fixture
def site() -> Site:
    """An empty cluster."""
    return Site()


@pytest.fixture
def cluster(site: Site) -> Cluster:
    """As the stack sees it."""
    return site.cluster().owned_by(STACK)


def state(cluster: Cluster, pair: PeriodicPair = PAIR) -> str:
    """The state of *pair* on the cluster."""
    return pair_state(pair, cluster.snapshot())


def test_only_the_timer_is_started(site: Site, cluster: Cluster) -> None:
    """And on the machine that has loaded the service."""
    said: list[str] = []
    install_pair(cluster, PAIR, said.append)
    units = cluster.snapshot().units
    assert (units[SERVICE].desired, units[TIMER].desired) == (DesiredState.LOADED, DesiredState.LAUNCHED)
    assert units[SERVICE].machine_id == units[TIMER].machine_id
    assert site.running == {TIMER}
    assert said == [f"installing {SERVICE}", f"starting {TIMER}"]
    assert state(cluster) == INSTALLED
    install_pair(cluster, PAIR, said.append)
    assert len(said) == 2
    assert pairs_on(cluster.ownership, cluster.snapshot()) == (PAIR,)


@pytest.mark.parametrize("new", [OTHER, pair_of(every="*-*-* 04:30:00")])
def test_another_text_replaces_what_differs(site: Site, cluster: Cluster, new: PeriodicPair) -> None:
    """The task does not run by that, and the timer goes on."""
    install_pair(cluster, PAIR, lambda _line: None)
    assert "has another text" in state(cluster, new)
    install_pair(cluster, new, lambda _line: None)
    assert state(cluster, new) == INSTALLED
    assert site.running == {TIMER}


def test_a_run_ends_before_its_unit_is_replaced(site: Site, cluster: Cluster) -> None:
    """fleet would stop it."""
    install_pair(cluster, PAIR, lambda _line: None)
    site.etcd.put(KEY, RUN.to_json())
    texts = site.texts
    with pytest.raises(Interrupted, match="still has its old text"):
        install_pair(cluster, OTHER, lambda _line: None, lambda: True)
    assert (site.texts, site.running) == (texts, {TIMER})
    renewed, begun = 0, site.now
    passes = site.wait

    def wait(seconds: float) -> None:
        nonlocal renewed
        passes(seconds)
        renewed += 1
        if site.texts[SERVICE] == PAIR.service.text:
            done = replace(RUN, state=RunState.DONE) if renewed > LOST_SEC + 20 else RUN
            site.etcd.put(KEY, done.to_json())

    said: list[str] = []
    later = Cluster(APP, cluster.fleet, cluster.store, cluster.run, clock=lambda: site.now, sleep=wait).owned_by(STACK)
    install_pair(later, OTHER, said.append)
    assert said[0] == "waiting for the end of the run that began at 2026-01-02T03:04:05Z"
    assert site.now - begun > LOST_SEC
    assert state(cluster, OTHER) == INSTALLED


def test_a_lost_run_blocks_no_deployment(site: Site, cluster: Cluster) -> None:
    """Its machine ended."""
    install_pair(cluster, PAIR, lambda _line: None)
    site.etcd.put(KEY, RUN.to_json())
    install_pair(cluster, OTHER, lambda _line: None)
    assert state(cluster, OTHER) == INSTALLED


def test_what_differs_is_named(site: Site, cluster: Cluster) -> None:
    """The next deployment repairs it."""
    assert state(cluster) == f"{SERVICE} is missing, {TIMER} is missing"
    install_pair(cluster, PAIR, lambda _line: None)
    site.stop(TIMER)
    assert state(cluster) == f"{TIMER} is loaded"
    cluster.set_desired_state(SERVICE, DesiredState.LAUNCHED)
    site.rest()
    assert state(cluster) == f"{SERVICE} is launched, {TIMER} is loaded"
    install_pair(cluster, PAIR, lambda _line: None)
    assert state(cluster) == INSTALLED
    cluster.delete(SERVICE)
    site.rest()
    assert state(cluster) == f"{SERVICE} is missing"
    assert pairs_on(cluster.ownership, cluster.snapshot()) == ()


def test_a_timer_that_does_not_start_fails_the_deployment(site: Site, cluster: Cluster) -> None:
    """With the lines of its journal."""
    site.failing = "OnCalendar"
    with pytest.raises(
        RolloutFailed, match=r"nightly-task.timer did not start within 150 s\.(.|\n)*journalctl on 10\."
    ):
        install_pair(cluster, PAIR, lambda _line: None)
    assert state(cluster) == f"{TIMER} is failed"


def test_units_of_others_and_a_cluster_without_a_place_are_refused(site: Site, cluster: Cluster) -> None:
    """Before anything is changed."""
    with pytest.raises(RolloutFailed, match=r"Cannot install the periodic task nightly: .* Nothing was changed"):
        install_pair(cluster, pair_of(machine_metadata=("disk=none",)), lambda _line: None)
    site.start({SERVICE: pair_of(stack="other/dev").service.text})
    with pytest.raises(UnitRefused, match=r"other/dev"):
        install_pair(cluster, PAIR, lambda _line: None)
    remove_pair(cluster, "nightly")
    assert list(site.texts) == [SERVICE]


def test_both_units_are_removed(site: Site, cluster: Cluster) -> None:
    """Also when one of them is gone already."""
    for missing in ("", TIMER):
        install_pair(cluster, PAIR, lambda _line: None)
        if missing:
            cluster.delete(missing)
        remove_pair(cluster, "nightly")
        site.rest()
        assert site.texts == {}


def test_a_timer_that_failed_is_started_again(site: Site, cluster: Cluster) -> None:
    """fleet starts a unit once, so it has to be off in between."""
    install_pair(cluster, PAIR, lambda _line: None)
    for row in site.fleet.loaded.values():
        row.active = "failed" if row.started else row.active
    site.rest()
    assert state(cluster) == f"{TIMER} is failed"
    install_pair(cluster, PAIR, lambda _line: None)
    assert state(cluster) == INSTALLED
