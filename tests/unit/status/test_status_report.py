"""What the report says of a cluster with each kind of oddity."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from fleetcaptain.discovery.keys import maintenance_key, pending_key, registration_key, task_key
from fleetcaptain.discovery.maintenance import Maintenance
from fleetcaptain.fleet.entities import DesiredState, Machine
from fleetcaptain.fleetfile.values import HttpRoute, PublicRoute, SecretFile
from fleetcaptain.rollout.cordon import cordon_files
from fleetcaptain.status.picture import Members, Picture
from fleetcaptain.status.report_json import as_json
from fleetcaptain.status.service_status import ServiceStatus
from fleetcaptain.status.status_report import Report, report_of
from fleetcaptain.status.status_view import lines_of
from fleetcaptain.tasks.task_run import RunState, TaskRun
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, FakeCluster, text_of
from tests.unit.status.twenty_services import (
    AT,
    NAMES,
    journal,
    keep,
    new_text,
    picture_of,
    release_of,
    roll,
    run_of_task,
    twenty,
)


def of_service(report: Report, name: str) -> ServiceStatus:
    """The service *name* of *report*."""
    return next(service for service in report.services if service.name == name)


@pytest.fixture
def cluster() -> FakeCluster:
    """Twenty services, all as they should be."""
    return twenty()


def test_a_cluster_as_it_should_be_has_no_problem(cluster: FakeCluster) -> None:
    """Every service is listed, healthy, in one version, with its zones."""
    report = report_of(picture_of(cluster))
    assert (report.problems, report.unanswered, report.strays, report.fine) == ((), (), (), True)
    assert tuple(service.name for service in report.services) == NAMES
    assert {service.state for service in report.services} == {"ok"}
    server = of_service(report, "app_server")
    assert (server.wanted, server.healthy, server.versions) == (12, 12, {"v1.1": 12})
    assert server.zones == {"z1": 4, "z2": 4, "z3": 4}
    assert [one.unit for one in server.instances][8:10] == ["app_server@9.service", "app_server@10.service"]
    release = report.release
    assert (release.tag, release.who, release.since) == ("v1.1", "ann@laptop", "2030-02-01T12:00:00+00:00")
    assert (release.previous, release.why_not, release.pending) == ("v1.0", (), "")
    assert [(machine.state, machine.units) for machine in report.machines] == [("up", 17), ("up", 17), ("up", 16)]


def test_a_rollout_under_way_says_who_and_how_far(cluster: FakeCluster) -> None:
    """It is no problem, and neither is the mix that it makes."""
    new = UnitFile.parse(new_text("app_server"))
    for number in (1, 2):
        cluster.launch(f"app_server@{number}.service", new.text)
    cluster.halt("app_server@3.service")
    keep(
        cluster,
        release_of(cluster, "v1.2", "2030-02-01T15:00:00+00:00", text={"app_server": new.unit_hash}),
        pending_key,
    )
    roll(cluster, "app_server", new.unit_hash)
    report = report_of(picture_of(cluster))
    server = of_service(report, "app_server")
    rollout = server.rollout
    assert rollout is not None
    assert (rollout.who, rollout.to, rollout.done, rollout.of, rollout.stopped) == ("bob@ci", "v1.2", 2, 12, False)
    assert (server.state, server.healthy, server.versions) == ("rolling", 11, {"v1.1": 10, "v1.2": 2})
    assert (report.release.pending, report.problems, report.fine) == ("v1.2", (), True)


def test_a_killed_rollout_is_a_problem(cluster: FakeCluster) -> None:
    """Its lock has expired; the journal has no end."""
    new = UnitFile.parse(new_text("app_server"))
    cluster.launch("app_server@1.service", new.text)
    roll(cluster, "app_server", new.unit_hash, locked=False)
    report = report_of(picture_of(cluster))
    assert of_service(report, "app_server").state == "mixed"
    assert report.problems == (
        f"app_server: the rollout to {new.unit_hash[:7]} that bob@ci began was interrupted at 1 of 12 instances; "
        "`pulumi up` resumes it",
        f"app_server: mixed versions: v1.1 x11, {new.unit_hash[:7]} x1",
    )


def test_mixed_versions_and_drift_are_named(cluster: FakeCluster) -> None:
    """Some instances with another text are a mix; all of them drifted."""
    cluster.launch("worker_01@2.service", new_text("worker_01"))
    cluster.launch("redis@1.service", new_text("redis"))
    report = report_of(picture_of(cluster))
    assert (of_service(report, "worker_01").state, of_service(report, "redis").state) == ("mixed", "drift")
    mixed, drifted = report.problems[1], report.problems[0]
    assert mixed.startswith("worker_01: mixed versions: v1.1 x1, ")
    assert drifted == "redis: redis@1.service: another text than the current release's"
    assert not report.fine


def test_stopped_and_missing_instances_are_named(cluster: FakeCluster) -> None:
    """By hand with fleetctl, on the machine, and destroyed."""
    cluster.halt("api@1.service")
    cluster.set_desired_state("api@2.service", DesiredState.LOADED)
    cluster.delete("redis@1.service")
    report = report_of(picture_of(cluster))
    assert report.problems == (
        "api: api@1.service on 10.0.0.1: inactive/dead",
        "api: api@2.service on 10.0.0.2: fleet has it loaded",
        "redis: 0 instances, and the release has 1",
    )
    assert (of_service(report, "api").state, of_service(report, "redis").state) == ("degraded", "down")


def test_a_failing_alive_check_is_named(cluster: FakeCluster) -> None:
    """With its reason."""
    key = registration_key(APP, "api", "api@2.service")
    value = {**cluster.etcd.value(key), "draining": True, "failing": "no answer to GET /alive"}
    cluster.etcd.put(key, json.dumps(value))
    report = report_of(picture_of(cluster))
    assert report.problems == ("api: api@2.service on 10.0.0.2: its alive check fails: no answer to GET /alive",)
    assert of_service(report, "api").state == "failing"


def test_maintenance_of_a_service_is_shown_and_no_problem(cluster: FakeCluster) -> None:
    """With who began it and when; its instances are up."""
    since = "2030-02-01T12:00:00+00:00"
    cluster.etcd.put(maintenance_key(APP, "api"), Maintenance("ann@laptop", since).to_json())
    for number in (1, 2, 3):
        key = registration_key(APP, "api", f"api@{number}.service")
        cluster.etcd.put(key, json.dumps({**cluster.etcd.value(key), "draining": True, "maintenance": True}))
    report = report_of(picture_of(cluster))
    api = of_service(report, "api")
    assert (report.problems, report.fine, api.state, api.healthy) == ((), True, "maintenance", 3)
    text = "\n".join("".join(span.text for span in line).rstrip() for line in lines_of(report, 80))
    assert re.search(r"^out +api is under maintenance, by ann@laptop, \w+$", text, re.MULTILINE)
    (shown,) = [one for one in as_json(report)["services"] if one["name"] == "api"]
    assert shown["maintenance"] == {"who": "ann@laptop", "since": since}


def test_strays_are_named(cluster: FakeCluster) -> None:
    """Units of ours that no release declares, and on our own cluster units without a mark; not those of others."""
    cluster.launch("old@1.service", text_of("old"))
    cluster.launch("theirs@1.service", text_of("theirs", app="bank", stack="bank/prod"))
    cluster.launch("bare@1.service", "[Service]\nExecStart=/bin/true\n")
    assert report_of(picture_of(cluster)).strays == ("old@1.service", "bare@1.service")
    report = report_of(picture_of(cluster, managed=False))
    assert report.strays == ("old@1.service",)
    assert report.problems == ("old@1.service is a stray: no release declares it",)


def test_a_silent_machine_is_named_before_fleet_drops_it(cluster: FakeCluster) -> None:
    """By its missing heartbeat; etcd's member on it counts as lost."""
    cluster.etcd.remove("/fleetcaptain/shop/machines/10.0.0.2")
    report = report_of(picture_of(cluster))
    assert [machine.state for machine in report.machines] == ["up", "silent", "up"]
    assert report.problems == (
        "10.0.0.2 is silent: its agent sends no heartbeat",
        "etcd's member m2 is on a machine that does not answer",
    )
    cluster.etcd.remove(registration_key(APP, "api", "api@2.service"))
    report = report_of(picture_of(cluster))
    assert report.problems[0] == "10.0.0.2 is silent: its agent sends no heartbeat. On it: api@2.service"
    assert not [problem for problem in report.problems if problem.startswith("api")]


def test_a_machine_that_fleet_dropped_is_named_by_its_address(cluster: FakeCluster) -> None:
    """The connection and etcd's members still name it. Its units have no machine until fleet moves them."""
    cluster._kill("10.0.0.3")
    cluster.etcd.remove("/fleetcaptain/shop/machines/10.0.0.3")
    report = report_of(picture_of(cluster))
    assert [(machine.address, machine.state) for machine in report.machines][2] == ("10.0.0.3", "missing")
    assert "10.0.0.3 is missing: fleet does not list it" in report.problems
    assert "api: api@3.service: its machine is lost" in report.problems


def test_the_addresses_of_a_bastion_are_no_machines(cluster: FakeCluster) -> None:
    """If the connection names no machine by fleet's address, it may name others than machines."""
    machines = report_of(picture_of(cluster, hosts=("203.0.113.5",), members=None)).machines
    assert [machine.address for machine in machines] == list(cluster.machines)


def test_without_heartbeats_no_machine_is_silent(cluster: FakeCluster) -> None:
    """A cluster without agents, or whose etcd did not answer."""
    for machine in cluster.machines:
        cluster.etcd.remove(f"/fleetcaptain/shop/machines/{machine}")
    assert {machine.state for machine in report_of(picture_of(cluster)).machines} == {"up"}


def test_without_a_quorum_all_else_is_shown(cluster: FakeCluster) -> None:
    """fleet may not answer then; registrations are read from one member. Heartbeats cannot be renewed."""
    members = Members(None, quorum=False)
    silent = picture_of(cluster, fleet=None, members=members, unanswered=("fleet: no answer within 12 s",))
    report = report_of(silent)
    assert report.problems == ("etcd has no quorum: nothing can be changed, and running containers go on",)
    assert (of_service(report, "app_server").healthy, report.fine) == (12, False)
    assert {machine.state for machine in report.machines} == {"unknown"}


def test_a_machine_without_units_is_listed_once(cluster: FakeCluster) -> None:
    """Although its heartbeat has its id, and etcd's list of members its address."""
    for key in [key for key in cluster.etcd.entries if "/services/" in key]:
        if cluster.etcd.value(key)["machine"] == "10.0.0.3":
            cluster.etcd.remove(key)
    cluster.etcd.remove("/fleetcaptain/shop/machines/10.0.0.3")
    cluster.etcd.put("/fleetcaptain/shop/machines/c3c3", "{}")
    listed = report_of(picture_of(cluster, fleet=None)).machines
    assert [(one.id, one.address) for one in listed] == [
        ("10.0.0.1", "10.0.0.1"), ("10.0.0.2", "10.0.0.2"), ("", "10.0.0.3")
    ]  # fmt: skip
    alone = report_of(picture_of(cluster, fleet=None, members=None, hosts=())).machines
    assert (alone[0].id, alone[0].address) == ("c3c3", "")


def test_without_etcd_what_runs_counts(cluster: FakeCluster) -> None:
    """No release is known, so services are those of the units."""
    report = report_of(picture_of(cluster, keys=None, members=None, unanswered=("etcd: no answer",)))
    assert tuple(service.name for service in report.services) == NAMES
    assert of_service(report, "app_server").healthy == 12
    assert (report.release.tag, report.etcd.quorum, report.problems, report.fine) == ("", None, (), False)


def test_a_rollback_needs_the_texts(cluster: FakeCluster) -> None:
    """Images are not checked; texts that were not read are unknown."""
    gone = cluster.units["redis@1.service"].unit_hash
    cluster.etcd.remove(f"/fleetcaptain/shop/_texts/{gone}")
    release = report_of(picture_of(cluster)).release
    assert release.why_not == (f"redis: etcd no longer has the text of its unit ({gone[:7]})",)
    assert report_of(picture_of(cluster, has_texts=False)).release.why_not is None


def test_a_deployment_that_stopped_between_two_services_is_named(cluster: FakeCluster) -> None:
    """Its release is pending, and nothing is rolled."""
    keep(cluster, release_of(cluster, "v1.2", "2030-02-01T15:00:00+00:00"), pending_key)
    problem = "the deployment of v1.2 is not complete: it is between two services, or it failed"
    assert report_of(picture_of(cluster)).problems == (problem,)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (RunState.FAILED, "the task migrate failed on 10.0.0.1: its command ended with exit code 3"),
        (RunState.UNKNOWN, "the result of the task migrate on 10.0.0.1 is unknown"),
        (RunState.DONE, "it is between two services, or it failed"),
    ],
)
def test_a_task_that_failed_its_deployment_is_named(cluster: FakeCluster, state: RunState, said: str) -> None:
    """With where its output is. One that runs is a part of its deployment; a failure of before is none."""
    run = TaskRun(state, "migrate-task@0badc0de.service", "0" * 40, "ann@laptop", AT, "10.0.0.1", status=3)
    cluster.etcd.put(task_key(APP, "migrate"), run.to_json())
    assert report_of(picture_of(cluster)).problems == ()
    keep(cluster, release_of(cluster, "v1.2", "2030-02-01T15:00:00+00:00"), pending_key)
    (problem,) = report_of(picture_of(cluster)).problems
    assert problem.startswith(f"the deployment of v1.2 is not complete: {said}")
    assert ("see `captain logs migrate`" in problem) is (state is not RunState.DONE)
    run_of_task(cluster)
    assert report_of(picture_of(cluster)).problems == ()


def test_values_of_others_are_counted(cluster: FakeCluster) -> None:
    """`captain doctor` lists them."""
    cluster.etcd.put(registration_key(APP, "api", "zz"), "[1]")
    journal(cluster, "api", who="x" * 5000)
    cluster.etcd.put("/fleetcaptain/shop/locks/api", "{}")
    report = report_of(picture_of(cluster))
    assert report.problems == ("1 values in etcd are invalid: see `captain doctor`",)
    assert of_service(report, "api").last is None


def test_another_apps_units_are_counted_as_load_only(cluster: FakeCluster) -> None:
    """They are on the machines, and nothing else is said of them."""
    cluster.launch("theirs@1.service", text_of("theirs", app="bank", stack="bank/prod"))
    report = report_of(picture_of(cluster))
    assert sum(machine.units for machine in report.machines) == 51
    assert report.fine


def test_a_task_is_neither_a_service_nor_a_stray(cluster: FakeCluster) -> None:
    """It is expected, although no release declares it."""
    run_of_task(cluster)
    report = report_of(picture_of(cluster))
    assert tuple(service.name for service in report.services) == NAMES
    assert (report.strays, report.problems) == ((), ())


def test_an_app_without_a_release_lists_what_runs() -> None:
    """Such as before its first deployment is complete, whose task may run; and with a machine in maintenance."""
    cluster = FakeCluster()
    cluster.launch_service("web", 2)
    run_of_task(cluster)
    for name, file in cordon_files(cluster.ownership, Machine("10.0.0.2", "10.0.0.2"), ()).items():
        cluster.launch(name, file.text)
    report = report_of(replace(picture_of(cluster), members=None))
    assert [(service.name, service.wanted, service.state) for service in report.services] == [("web", 2, "ok")]
    assert report_of(Picture(APP, "", "2030-01-01T00:00:00+00:00")).services == ()


def test_a_public_service_is_shown_with_its_address(cluster: FakeCluster) -> None:
    """At each machine with a proxy, as the proxy's own unit says."""
    routes = (PublicRoute("app_server", HttpRoute(8000)), PublicRoute("app_server", HttpRoute(443, "a.org", tls="PEM")))
    files = (("/a", SecretFile("PEM")),)
    for machine in cluster.machines:
        text = text_of(f"{APP}-proxy", global_unit=True, routes=routes, secret_files=files)
        cluster.launch(f"{APP}-proxy@{machine}.service", text)
    report = report_of(picture_of(cluster))
    expected = (*(f"http://{machine}:8000" for machine in cluster.machines), "https://a.org")
    assert of_service(report, "app_server").public == expected
    assert [one.name for one in report.services if one.public] == ["app_server"]
    (line,) = (line for line in lines_of(report, 200) if line[0].text.startswith("public"))
    assert line[1].text == f"app_server: {', '.join(expected)}"
    assert next(one for one in as_json(report)["services"] if one["name"] == "app_server")["public"] == list(expected)
