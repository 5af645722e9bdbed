"""The units of a periodic task on a cluster: installed without a run, replaced after a run, removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fleetcaptain.discovery.keys import lock_key, task_key
from fleetcaptain.errors import Interrupted, Locked, RolloutFailed, RolloutMixed, UnitRefused
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.lock import this_process
from fleetcaptain.tasks.install_pair import install_pair
from fleetcaptain.tasks.periodic_pair import INSTALLED, PeriodicPair, pair_state, pairs_on
from fleetcaptain.tasks.run_task import LOST_SEC
from fleetcaptain.tasks.task_run import RunState, TaskRun
from fleetcaptain.tasks.task_units import clear_all_units, clear_ended_units, remove_pair
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


def meanwhile(site: Site, then: Callable[[], object]) -> Cluster:
    """The same cluster, on which *then* happens after each moment of a wait."""

    def wait(seconds: float) -> None:
        site.wait(seconds)
        then()

    own = site.cluster()
    return Cluster(APP, own.fleet, own.store, own.run, clock=lambda: site.now, sleep=wait).owned_by(STACK)


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

    def renew() -> None:
        nonlocal renewed
        renewed += 1
        if site.texts[SERVICE] == PAIR.service.text:
            done = replace(RUN, state=RunState.DONE) if renewed > LOST_SEC + 20 else RUN
            site.etcd.put(KEY, done.to_json())

    said: list[str] = []
    install_pair(meanwhile(site, renew), OTHER, said.append)
    assert said[0] == "waiting for the end of the run that began at 2026-01-02T03:04:05Z"
    assert site.now - begun > LOST_SEC
    assert state(cluster, OTHER) == INSTALLED


def test_a_lost_run_blocks_no_deployment(site: Site, cluster: Cluster) -> None:
    """Its machine ended. It is waited for once."""
    install_pair(cluster, PAIR, lambda _line: None)
    site.etcd.put(KEY, RUN.to_json())
    begun, said = site.now, list[str]()
    install_pair(cluster, OTHER, said.append)
    assert state(cluster, OTHER) == INSTALLED
    assert LOST_SEC < site.now - begun < 1.5 * LOST_SEC
    assert [line for line in said if "waiting" in line] == [said[0]]


def test_a_run_that_has_no_claim_yet_ends_first(site: Site, cluster: Cluster) -> None:
    """Its machine pulls the image, or waits for a lost run."""
    install_pair(cluster, PAIR, lambda _line: None)
    begun, said = site.now, list[str]()

    def pull() -> None:
        for (name, _), row in site.fleet.loaded.items():
            if name == SERVICE and row.unit_hash == PAIR.service.unit_hash and site.now < begun + 60:
                row.active = "activating"

    pull()
    install_pair(meanwhile(site, pull), OTHER, said.append)
    assert said == ["waiting for a run", f"installing {SERVICE}", f"starting {TIMER}"]
    assert site.now >= begun + 60
    assert state(cluster, OTHER) == INSTALLED


def test_an_interruption_leaves_the_old_timer_on(site: Site, cluster: Cluster) -> None:
    """Also while it is off, because of a run that began at the last moment."""
    install_pair(cluster, PAIR, lambda _line: None)

    def begin() -> None:
        if site.fleet.units[TIMER].desired == DesiredState.LOADED:
            site.etcd.put(KEY, RUN.to_json())

    with pytest.raises(Interrupted, match="still has its old text"):
        install_pair(meanwhile(site, begin), OTHER, lambda _line: None, lambda: KEY in site.etcd.values)
    site.rest()
    assert state(cluster) == INSTALLED


def test_another_deployment_has_the_lock(site: Site, cluster: Cluster) -> None:
    """Of two that change a pair one does so; the other stops, also when it slept and finds the lock free again."""
    install_pair(cluster, PAIR, lambda _line: None)
    assert lock_key(APP, "nightly") not in site.etcd.values
    site.etcd.put(KEY, RUN.to_json())
    texts = site.texts
    takes = meanwhile(site, lambda: site.etcd.put(lock_key(APP, "nightly"), this_process().to_json()))
    with pytest.raises(Locked, match="took over"):
        install_pair(takes, OTHER, lambda _line: None)
    assert (site.texts, site.running) == (texts, {TIMER})
    site.etcd.remove(lock_key(APP, "nightly"))
    newer = pair_of("newer")

    def change() -> None:
        if KEY in site.etcd.values:
            site.etcd.remove(lock_key(APP, "nightly"))
            site.etcd.remove(KEY)
            install_pair(cluster, newer, lambda _line: None)

    with pytest.raises(Locked, match="Another deployment changed the periodic task nightly"):
        install_pair(meanwhile(site, change), OTHER, lambda _line: None)
    assert state(cluster, newer) == INSTALLED
    site.etcd.put(lock_key(APP, "nightly"), this_process().to_json())
    with pytest.raises(Locked):
        remove_pair(cluster, "nightly")
    assert state(cluster, newer) == INSTALLED


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


def test_a_timer_that_does_not_start_leaves_the_old_pair(site: Site, cluster: Cluster) -> None:
    """It goes on as before. One that did not work before is not put back."""
    install_pair(cluster, PAIR, lambda _line: None)
    site.failing = "04:30"
    new = pair_of("other", every="*-*-* 04:30:00")
    with pytest.raises(RolloutFailed, match=r"did not start within 150 s\.(.|\n)*journalctl on 10\.(.|\n)*are back\.$"):
        install_pair(cluster, new, lambda _line: None)
    assert state(cluster) == INSTALLED
    site.failing = "OnCalendar"
    with pytest.raises(RolloutMixed, match=r"(?s)did not start .*could not be put back: .*did not start"):
        install_pair(cluster, new, lambda _line: None)
    site.rest()
    begun = site.now
    with pytest.raises(RolloutFailed, match="did not start") as error:
        install_pair(cluster, new, lambda _line: None)
    assert "back" not in str(error.value)
    assert site.now - begun < 200
    assert state(cluster, new) == f"{TIMER} is failed"


def test_what_another_deployment_put_is_not_put_back(site: Site, cluster: Cluster) -> None:
    """One whose timer does not start, and that slept, finds newer units."""
    install_pair(cluster, PAIR, lambda _line: None)
    site.failing = "04:30"
    newer = pair_of("newer")

    def change() -> None:
        if "04:30" in site.texts[TIMER]:
            site.etcd.remove(lock_key(APP, "nightly"))
            install_pair(cluster, newer, lambda _line: None)

    with pytest.raises(RolloutFailed, match="did not start"):
        install_pair(meanwhile(site, change), pair_of("other", every="*-*-* 04:30:00"), lambda _line: None)
    assert state(cluster, newer) == INSTALLED


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


def test_a_pair_that_no_resource_has_is_removed(site: Site, cluster: Cluster) -> None:
    """Of a deployment that was killed; also a half of one. The declared ones go with the app."""
    for missing in ("", SERVICE, TIMER):
        install_pair(cluster, PAIR, lambda _line: None)
        if missing:
            cluster.delete(missing)
        clear_ended_units(cluster, ["nightly"])
        assert set(site.texts) == {SERVICE, TIMER} - {missing}
        clear_ended_units(cluster, ["daily"])
        site.rest()
        assert site.texts == {}
    install_pair(cluster, PAIR, lambda _line: None)
    foreign = {"daily-task.service": pair_of(stack="other/dev").service.text}
    site.start(foreign)
    clear_ended_units(cluster, ["nightly"])
    clear_all_units(cluster)
    assert set(site.texts) == {*foreign}


def test_a_timer_that_failed_is_started_again(site: Site, cluster: Cluster) -> None:
    """fleet starts a unit once, so it has to be off in between."""
    install_pair(cluster, PAIR, lambda _line: None)
    for row in site.fleet.loaded.values():
        row.active = "failed" if row.started else row.active
    site.rest()
    assert state(cluster) == f"{TIMER} is failed"
    install_pair(cluster, PAIR, lambda _line: None)
    assert state(cluster) == INSTALLED
