"""What the status says of periodic tasks: the last run, the next one, and what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.discovery.keys import task_key
from fleetcaptain.fleet.entities import UnitState
from fleetcaptain.status.periodic_task_status import PeriodicTaskStatus
from fleetcaptain.status.report_json import as_json
from fleetcaptain.status.status_report import report_of
from fleetcaptain.status.status_view import lines_of
from fleetcaptain.styled import plain
from fleetcaptain.tasks.task_run import RunState, TaskRun
from tests.fakes.fake_cluster import APP, MACHINES, FakeCluster
from tests.unit.status.twenty_services import picture_of, twenty
from tests.unit.tasks.test_periodic_pair import pair_of

PAIR = pair_of(every="Mon..Fri *-*-* 03:30:00 America/Chicago")
SERVICE, TIMER = PAIR.units
DONE = TaskRun(
    RunState.DONE,
    SERVICE,
    PAIR.service.unit_hash,
    "nightly-task.timer",
    "2030-02-01T09:30:00Z",
    MACHINES[0],
    reason="exited",
    until="2030-02-01T09:31:00Z",
)
NEXT = "2030-02-04T09:30:00+00:00"


@pytest.fixture
def cluster() -> FakeCluster:
    """Twenty services and a periodic task."""
    cluster = twenty()
    cluster.units[SERVICE] = replace(
        cluster.units["redis@1.service"], name=SERVICE, file=PAIR.service, desired="loaded"
    )
    cluster.launch(TIMER, PAIR.timer.text)
    return cluster


def task_of(cluster: FakeCluster, run: TaskRun | None = DONE) -> PeriodicTaskStatus:
    """The task's status after *run*."""
    if run is not None:
        cluster.etcd.put(task_key(APP, "nightly"), run.to_json())
    (found,) = report_of(picture_of(cluster)).periodic_tasks
    return found


def test_a_task_is_one_line_with_its_last_and_its_next_run(cluster: FakeCluster) -> None:
    """It is neither a service nor a stray."""
    assert task_of(cluster) == PeriodicTaskStatus(
        "nightly", PAIR.timer.options[1].value, "done", DONE.asked, DONE.until, MACHINES[0], 0, "", True, NEXT
    )
    report = report_of(picture_of(cluster))
    assert (report.problems, report.strays, len(report.services)) == ((), (), 20)
    lines = [plain(line).rstrip() for line in lines_of(report, 100)]
    assert "nightly  done      5h 10.0.0.1  2030-02-04 09:30 UTC  Mon..Fri *-*-* 03:30:00 America/Chicago" in lines
    assert max(len(plain(line)) for line in lines_of(report, 80)) <= 80
    assert "1 periodic tasks are ok" in [plain(line) for line in lines_of(report, 80, height=10)]
    assert as_json(report)["periodic_tasks"][0]["next_run"] == NEXT


@pytest.mark.parametrize(
    ("run", "state", "problem"),
    [
        (None, "none", ""),
        (replace(DONE, state=RunState.RUNNING), "running", ""),
        (
            replace(DONE, state=RunState.FAILED, status=3),
            "failed",
            "the last run of nightly on 10.0.0.1 failed: its command ended with exit code 3; "
            "see `captain logs nightly`",
        ),
        (replace(DONE, state=RunState.FAILED, status=3, unit_hash="0" * 40), "failed", ""),
        (
            replace(DONE, state=RunState.RUNNING, machine="10.0.0.9"),
            "unknown",
            "the result of the last run of nightly is unknown: its machine 10.0.0.9 ended meanwhile, "
            "or could not write it",
        ),
    ],
)
def test_a_failed_run_is_a_problem(cluster: FakeCluster, run: TaskRun | None, state: str, problem: str) -> None:
    """And so is one whose machine is gone. Of an earlier text it is none: the failure was corrected."""
    assert task_of(cluster, run).state == state
    assert report_of(picture_of(cluster)).problems == ((problem,) if problem else ())


@pytest.mark.parametrize(
    ("active", "asked", "state"),
    [
        ("activating", DONE.asked, "running"),
        ("deactivating", DONE.asked, "running"),
        # fleet shows the state of a unit that has begun some seconds later.
        ("inactive", "2030-02-01T15:03:30Z", "running"),
        ("inactive", DONE.asked, "unknown"),
        ("failed", "x", "unknown"),
    ],
)
def test_a_run_that_its_machine_does_not_know_is_lost(
    cluster: FakeCluster, active: str, asked: str, state: str
) -> None:
    """As after a reboot, until the next run."""
    run = replace(DONE, state=RunState.RUNNING, asked=asked)
    cluster.etcd.put(task_key(APP, "nightly"), run.to_json())
    picture = picture_of(cluster)
    assert picture.fleet is not None
    row = UnitState(SERVICE, run.machine, run.unit_hash, "loaded", active, "dead")
    lists = replace(picture.fleet, states=(*picture.fleet.states, row))
    (found,) = report_of(replace(picture, fleet=lists)).periodic_tasks
    assert found.state == state


def test_a_task_that_will_not_run_is_a_problem(cluster: FakeCluster) -> None:
    """No machine has it, its timer is stopped, or a unit is missing."""
    timer = cluster.units[TIMER]
    cluster.units[TIMER] = replace(timer, machine_id=None)
    del cluster.runs[TIMER]
    assert (task_of(cluster).trouble, task_of(cluster).next_run) == ("no machine has it", "")
    cluster.units[TIMER] = timer
    cluster.units[TIMER] = replace(cluster.units[TIMER], desired="loaded")
    assert (task_of(cluster).trouble, task_of(cluster).next_run) == (f"{TIMER} is loaded", "")
    del cluster.units[SERVICE]
    said = f"the periodic task nightly will not run: {SERVICE} is missing; `pulumi up` repairs it"
    assert report_of(picture_of(cluster)).problems == (said,)


def test_without_fleet_the_last_run_is_shown(cluster: FakeCluster) -> None:
    """That of a deployment's task is not."""
    cluster.etcd.put(task_key(APP, "nightly"), DONE.to_json())
    cluster.etcd.put(task_key(APP, "migrate"), replace(DONE, unit="migrate-task@1.service").to_json())
    cluster.etcd.put(task_key(APP, "broken"), "x")
    (task,) = report_of(picture_of(cluster, fleet=None)).periodic_tasks
    assert (task.name, task.state, task.trouble) == ("nightly", "done", "")
