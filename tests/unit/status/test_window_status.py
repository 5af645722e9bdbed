"""The status of services with windows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import lock_key, window_plan_key, window_state_key
from fleetcaptain.fleet.entities import DesiredState
from fleetcaptain.history.rollout_record import RolloutRecord
from fleetcaptain.schedule.forecast import DAY_SEC
from fleetcaptain.schedule.lead_time import LeadTime, is_too_short
from fleetcaptain.schedule.local_time import iso_utc
from fleetcaptain.schedule.window_event import DEPLOYMENT, WindowEvent
from fleetcaptain.schedule.window_plan import WindowPlan, plan_of
from fleetcaptain.status.picture import AppKeys
from fleetcaptain.status.report_json import as_json
from fleetcaptain.status.service_status import ServiceStatus
from fleetcaptain.status.status_report import Report, report_of
from fleetcaptain.status.status_view import lines_of
from fleetcaptain.styled import plain
from tests.fakes.fake_cluster import APP, FakeCluster, text_of
from tests.unit.schedule.example_schedule import CHICAGO
from tests.unit.schedule.test_lead_time import started
from tests.unit.schedule.windows import at, window
from tests.unit.status.test_status_report import of_service
from tests.unit.status.twenty_services import keep, picture_of, roll

MEGAQUERY = window(name="megaquery", timezone=CHICAGO)
OPENS, DUE, CLOSES = at("2026-11-27T09:27:00"), at("2026-11-27T09:30:00"), at("2026-11-27T10:30:00")
BEFORE = OPENS - 3600
OPENING = WindowEvent(OPENS + 12, 4, 12, DUE, "10.0.0.1")
OPEN = replace(OPENING, ready=DUE - 100)
CLOSED = WindowEvent(CLOSES + 4, 12, 4, 0, "10.0.0.2")


def plan(lead_sec: int = 180, now: int = BEFORE) -> WindowPlan:
    """The plan of web, four instances and eight more in the window, deployed at *now*."""
    return plan_of("web@%.service", 4, [MEGAQUERY], lead_sec, now)


def cluster_of(state: WindowEvent | None = None, *, found: WindowPlan | None = None, running: int = 4) -> FakeCluster:
    """web has so many *running* instances, and the others up to 12 wait; its agents' last event is *state*."""
    cluster = FakeCluster()
    cluster.launch_service("web", 12)
    for number in range(running + 1, 13):
        cluster.set_desired_state(f"web@{number}.service", DesiredState.LOADED)
    unit_hash = cluster.units["web@1.service"].unit_hash
    web = ServiceRelease(unit_hash, 4, windows=(MEGAQUERY,))
    keep(cluster, Release("v1", {"web": web}, "ann@laptop", "2026-11-27T08:00:00+00:00"))
    cluster.etcd.put(window_plan_key(APP, "web"), (found or plan()).to_text())
    if state is not None:
        cluster.etcd.put(window_state_key(APP, "web"), state.to_text())
    return cluster


def report(cluster: FakeCluster, now: int, records: tuple[RolloutRecord, ...] = ()) -> Report:
    """What a reading at *now* says, with the *records* of web's rollouts."""
    picture = picture_of(cluster, at=iso_utc(now))
    assert isinstance(picture.keys, AppKeys)
    return report_of(replace(picture, keys=replace(picture.keys, records={"web": records})))


def web(cluster: FakeCluster, now: int) -> ServiceStatus:
    """The status of web at *now*."""
    return of_service(report(cluster, now), "web")


def shown(cluster: FakeCluster, now: int) -> list[str]:
    """The screen at *now*."""
    return [plain(line) for line in lines_of(report(cluster, now), 80)]


def test_standby_instances_are_no_drift() -> None:
    """They are counted apart; the release wants four."""
    found = report(cluster_of(), BEFORE)
    service = of_service(found, "web")
    assert (service.state, service.wanted, service.healthy, service.standby) == ("ok", 4, 4, 8)
    assert [one.unit for one in service.instances] == [f"web@{number}.service" for number in range(1, 5)]
    assert (found.problems, found.fine) == ((), True)


@pytest.mark.parametrize(
    ("state", "running", "now", "mark"),
    [
        (None, 4, BEFORE, "4 -> 12 at 03:27 CST"),
        (OPEN, 12, DUE, "12 until 04:30 CST"),
        (CLOSED, 4, CLOSES + 60, "4 -> 12 at 03:27 CST"),
    ],
)
def test_each_service_with_windows_has_a_mark(state: WindowEvent | None, running: int, now: int, mark: str) -> None:
    """Above the table, in the zone of the window."""
    cluster = cluster_of(state, running=running)
    assert f"windows   web: {mark}" in shown(cluster, now)
    assert report(cluster, now).problems == ()


def test_a_window_that_opens_is_no_problem_until_it_is_due() -> None:
    """Its instances start; the others count as ever."""
    cluster = cluster_of(OPENING, running=12)
    for number in range(9, 13):
        cluster.halt(f"web@{number}.service")
    service = web(cluster, DUE)
    assert (service.state, service.healthy, service.wanted) == ("opening", 8, 12)
    assert report(cluster, DUE).fine
    assert any(line.startswith("web      opening  8/12") for line in shown(cluster, DUE))
    late = report(cluster, DUE + 1)
    assert of_service(late, "web").state == "degraded"
    assert late.problems == (
        *(f"web: web@{number}.service on {cluster.zone_of(f'web@{number}.service')}: inactive/dead"
          for number in range(9, 13)),
        "web: 12 instances were due at 2026-11-27 03:30 CST, and 8 are healthy; `captain schedule web` shows the last "
        "windows",
    )  # fmt: skip
    cluster.halt("web@2.service")
    assert web(cluster, DUE).state == "degraded"


def test_an_instance_that_fails_in_an_open_window_is_a_problem() -> None:
    """The window was ready, so nothing is said of it."""
    cluster = cluster_of(OPEN, running=12)
    cluster.halt("web@9.service")
    (problem,) = report(cluster, DUE + 600).problems
    assert problem.startswith("web: web@9.service on ")
    assert web(cluster, DUE + 600).state == "degraded"


def test_instances_that_are_healthy_are_not_late() -> None:
    """The agent whose machine ended did not write that they are ready."""
    assert report(cluster_of(OPENING, running=12), DUE + 600).problems == ()


def test_a_window_that_no_agent_opens_is_a_problem_after_two_minutes() -> None:
    """Before, an agent may still act."""
    assert report(cluster_of(), OPENS + 119).problems == ()
    assert report(cluster_of(), OPENS + 120).problems == (
        "web: 12 instances must run now, and the machine agents started 4: no agent opened the window; `captain "
        "doctor` says which agents do not run",
    )


def test_a_window_may_wait_for_its_machines() -> None:
    """Then no agent opens it."""
    found = plan()
    machines = replace(found, series=tuple(replace(one, machines=2) for one in found.series))
    (problem,) = report(cluster_of(found=machines), DUE).problems
    assert "started 4: the machines of the window are not in fleet, or no agent opened the window; " in problem


def test_a_window_that_no_agent_closes_is_a_problem_after_two_minutes() -> None:
    """As for an opening."""
    cluster = cluster_of(OPEN, running=12)
    assert report(cluster, CLOSES + 119).problems == ()
    assert report(cluster, CLOSES + 120).problems == (
        "web: 4 instances must run now, and 12 run: no agent closed the window; `captain doctor` says which agents do "
        "not run",
    )


def test_instances_that_are_needed_again_soon_are_no_problem() -> None:
    """A rollout that was quicker than expected has opened the window early."""
    early = WindowEvent(OPENS - 500, 4, 12, 0, DEPLOYMENT, OPENS - 500)
    cluster = cluster_of(early, running=12)
    assert report(cluster, OPENS - 480).problems == ()
    (problem,) = report(cluster, OPENS - 721).problems
    assert "no agent closed the window" in problem


def test_a_rollout_under_way_holds_windows() -> None:
    """Its lock does, so nothing is late; all instances that run are rolled."""
    cluster = cluster_of(OPEN, running=12)
    roll(cluster, "web", "0" * 40)
    found = report(cluster, CLOSES + 600)
    assert found.problems == ()
    rollout = of_service(found, "web").rollout
    assert rollout is not None
    assert rollout.of == 12
    cluster.etcd.remove(lock_key(APP, "web"))
    assert len(report(cluster, CLOSES + 600).problems) == 2


def test_missing_standby_instances_are_a_problem() -> None:
    """The next window would lack them."""
    cluster = cluster_of()
    for number in (11, 12):
        cluster.delete(f"web@{number}.service")
    assert report(cluster, BEFORE).problems == (
        "web: 2 of its 8 standby instances are missing; `pulumi up` creates them",
    )


def test_standby_instances_with_another_text_are_drift() -> None:
    """The next window would start them."""
    cluster = cluster_of()
    cluster.launch("web@12.service", text_of("web", description="changed"))
    cluster.set_desired_state("web@12.service", DesiredState.LOADED)
    found = report(cluster, BEFORE)
    assert of_service(found, "web").state == "drift"
    assert found.problems == ("web: web@12.service: another text than the current release's",)


def test_an_instance_that_runs_without_a_window_is_drift() -> None:
    """It was started by hand."""
    cluster = cluster_of(running=5)
    found = report(cluster, BEFORE)
    assert of_service(found, "web").state == "drift"
    assert "web: 5 instances, and its windows and the release require 4" in found.problems


def slow(seconds: float) -> tuple[RolloutRecord, ...]:
    """The record of a rollout whose instance took so many *seconds* to start."""
    return (started(seconds, since=BEFORE - 1000),)


def test_a_lead_that_became_too_short_is_a_problem() -> None:
    """With both numbers. A minute of what the lead has to spare may be used up: the next deployment renews it."""
    cluster = cluster_of()
    assert report(cluster, BEFORE, slow(120)).problems == ()
    assert report(cluster, BEFORE, slow(121)).problems == (
        "web: its windows open 180 s before ready_by, and by what starts take now they need 250 s; `pulumi up` "
        "corrects it",
    )
    assert not is_too_short(180, LeadTime(1, 1, 1, 240))


def test_an_opening_shows_that_the_lead_is_too_short() -> None:
    """Without any record of a rollout."""
    slow_opening = replace(OPEN, ready=OPEN.at + 200)
    (problem,) = report(cluster_of(slow_opening, running=12), CLOSES - 600).problems
    assert "they need 320 s" in problem


def test_a_plan_that_ends_within_a_year_is_a_problem() -> None:
    """It is not renewed but by deployments."""
    found = plan()
    ends = replace(found, horizon=BEFORE + 365 * DAY_SEC)
    assert report(cluster_of(found=ends), BEFORE).problems == ()
    assert report(cluster_of(found=replace(ends, horizon=ends.horizon - 1)), BEFORE).problems == (
        "web: the plan of its windows ends in 364 days; `pulumi up` renews it",
    )


def test_a_deployment_inside_of_a_window_is_its_state() -> None:
    """As the agents know it."""
    deployed = WindowEvent(DUE + 600, 4, 12, 0, DEPLOYMENT, DUE + 600)
    found = report(cluster_of(deployed, running=12), DUE + 900)
    assert (of_service(found, "web").state, found.problems) == ("ok", ())


def test_the_windows_in_json() -> None:
    """Of a service without windows it is null."""
    cluster = cluster_of(OPEN, running=12)
    cluster.launch_service("mail", 1)
    release = Release("v1", {"web": ServiceRelease("0" * 40, 4), "mail": ServiceRelease("0" * 40, 1)})
    keep(cluster, release)
    mail, found = as_json(report(cluster, DUE))["services"]
    assert mail["windows"] is None
    assert found["windows"] == {
        "instances": 4,
        "desired": 12,
        "launched": 12,
        "standby": 0,
        "opening": False,
        "next": {
            "at": "2026-11-27T10:30:00+00:00",
            "from": 12,
            "to": 4,
            "windows": ["megaquery"],
            "ready_by": "",
            # The release does not have the window.
            "timezone": "UTC",
            "machines": 0,
        },
        "lead_sec": 180,
        "needed_lead_sec": 190,
        "planned_until": "2036-12-04T08:27:00+00:00",
    }


def test_an_invalid_plan_is_a_problem() -> None:
    """The service then has no windows, and its standby instances are drift."""
    cluster = cluster_of()
    cluster.etcd.put(window_plan_key(APP, "web"), "v2")
    found = report(cluster, BEFORE)
    assert of_service(found, "web").windows is None
    assert found.problems[-1] == "1 values in etcd are invalid: see `captain doctor`"
