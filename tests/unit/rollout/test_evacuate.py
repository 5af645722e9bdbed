"""A machine in maintenance loses its instances one at a time, and gets none until the maintenance ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleetcaptain.discovery.keys import window_plan_key
from fleetcaptain.errors import DeadlineExceeded, RolloutFailed
from fleetcaptain.fleet.entities import DesiredState, Machine
from fleetcaptain.fleetfile.values import Port, ServiceSpec, TaskSpec
from fleetcaptain.rollout.cordon import conflicts_on, cordon_files, in_maintenance, on_machine
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.strategies.evacuate import close, evacuate, reopen
from fleetcaptain.rollout.strategies.restart import services_on
from fleetcaptain.rollout.strays import find_strays
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.schedule.window_plan import plan_of
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task, render_timer
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refusals
from tests.fakes.fake_cluster import APP, STACK, FakeCluster, text_of

M1, M2, M3 = "10.0.0.1", "10.0.0.2", "10.0.0.3"
MACHINE = Machine(M1, M1)
TASKS, PERIODIC = "*-task@*.service", "*-task.service"
CORDON = ("shop.maintenance-10.0.0.1-at.service", "shop.maintenance-10.0.0.1.service")


def quiet(_line: str) -> None:
    """Say nothing."""


def begin(cluster: FakeCluster, **options: Any) -> tuple[list[str], dict[str, str]]:
    """The maintenance of the first machine, without a bake time."""
    cluster.history.clear()
    return evacuate(cluster, MACHINE, lambda _target: Policy(min_healthy_sec=0), quiet, **options)


@pytest.fixture
def cluster() -> FakeCluster:
    """Six instances on three machines, two on each: the first and the fourth on the first one."""
    cluster = FakeCluster(machines=(M1, M2, M3))
    cluster.launch_service("web", 6)
    cluster.least_up = 6
    return cluster


def test_its_instances_move_one_at_a_time(cluster: FakeCluster) -> None:
    """Each is off the machine, and the machine closed to it, before it starts again."""
    assert begin(cluster) == (["web@1.service", "web@4.service"], {})
    assert on_machine(cluster.snapshot(), M1) == ()
    gate = f"put {CORDON[1]}"
    assert cluster.history == [
        f"put {CORDON[0]}",
        gate,
        *("inactive web@1.service", gate, "put web@1.service"),
        *("inactive web@4.service", gate, "put web@4.service"),
    ]
    assert all(unit.desired == "launched" for unit in cluster.units.values())


def test_nothing_new_comes_to_it(cluster: FakeCluster) -> None:
    """Though it has the fewest units; afterwards it is used again."""
    begin(cluster)
    cluster.put("new@1.service", UnitFile.parse(text_of("new")))
    assert cluster.units["new@1.service"].machine_id != M1
    assert in_maintenance(cluster.ownership, cluster.snapshot()) == (MACHINE,)
    assert reopen(cluster, MACHINE, quiet)
    assert not set(CORDON) & cluster.units.keys()
    assert not reopen(cluster, MACHINE, quiet)


def waiting(cluster: FakeCluster, number: int) -> None:
    """Of the instances of web the last one, with this *number*, waits for a window."""
    day = WindowSpec("peak", number, 0, 60, (0,), (), "UTC")
    plan = plan_of("web@%.service", number - 1, [day], 60, 0)
    cluster.etcd.put(window_plan_key(APP, "web"), plan.to_text())
    cluster.fleet.set_desired(f"web@{number}.service", DesiredState.LOADED)
    cluster.sleep(cluster.delay)


def test_an_instance_that_waits_for_a_window_moves_too() -> None:
    """Before the others, and goes on waiting."""
    cluster = FakeCluster(machines=(M1, M2, M3))
    cluster.launch_service("web", 4)
    waiting(cluster, 4)
    assert begin(cluster) == (["web@4.service", "web@1.service"], {})
    unit = cluster.units["web@4.service"]
    assert unit.desired == "loaded"
    assert unit.machine_id not in (None, M1)


def test_one_that_waits_and_fits_nowhere_else_stays() -> None:
    """As one that runs."""
    cluster = FakeCluster(machines=(M1, M2, M3))
    cluster.launch_service("web", 3, ports=(Port(80, 8080),))
    waiting(cluster, 3)
    moved, stays = evacuate(cluster, Machine(M3, M3), lambda _target: Policy(min_healthy_sec=0), quiet)
    assert (moved, stays) == ([], {"web@3.service": "no other machine can take it"})
    assert cluster.units["web@3.service"].machine_id == M3


def test_one_that_waits_and_finds_no_place_keeps_no_other_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not run; instances that run leave the machine."""
    cluster = FakeCluster(machines=(M1, M2, M3))
    cluster.launch_service("web", 4)
    waiting(cluster, 4)

    def no_place(*_: object, **__: object) -> None:
        raise DeadlineExceeded("fleet did not place it")

    monkeypatch.setattr("fleetcaptain.rollout.strategies.evacuate._wait_for_places", no_place)
    moved, stays = begin(cluster)
    assert moved == ["web@1.service"]
    assert stays == {"web@4.service": "fleet did not place it"}
    assert cluster.units["web@4.service"].desired == "loaded"


def test_it_may_be_begun_again(cluster: FakeCluster) -> None:
    """Nothing is put twice."""
    begin(cluster)
    assert begin(cluster) == ([], {})
    assert cluster.history == []


def test_an_interrupted_move_is_finished(cluster: FakeCluster) -> None:
    """The unit was off its machine."""
    cluster.units["web@1.service"] = replace(
        cluster.units["web@1.service"], desired="inactive", current="inactive", machine_id=None
    )
    cluster._stop("web@1.service")
    assert begin(cluster) == (["web@4.service"], {})
    assert {unit.desired for unit in cluster.units.values()} == {"launched"}
    assert on_machine(cluster.snapshot(), M1) == ()


def launch_pair(cluster: FakeCluster, machine: str) -> None:
    """The periodic task nightly, on *machine*."""
    task = TaskSpec(ServiceSpec("nightly", "", "shop", ("x",)), every="*-*-* 03:30:00")
    mark = Mark(APP, STACK, "nightly")
    for name, file in (
        ("nightly-task.service", render_task(task, mark)),
        ("nightly-task.timer", render_timer(task, mark)),
    ):
        cluster.launch(name, file.text)
        desired = "loaded" if name.endswith(".service") else "launched"
        cluster.units[name] = replace(cluster.units[name], machine_id=machine, desired=desired)


def test_a_periodic_task_stays_and_does_not_run(cluster: FakeCluster) -> None:
    """Its service is loaded without a start, which is no move that was interrupted."""
    launch_pair(cluster, M1)
    assert "nightly" not in services_on(cluster.ownership, cluster.snapshot())
    _moved, stays = begin(cluster)
    why = "it is of the task nightly: fleet moves a periodic task when the machine ends"
    assert stays == {"nightly-task.service": why, "nightly-task.timer": why}
    assert not [entry for entry in cluster.history if "nightly" in entry]


def test_a_periodic_task_of_another_machine_does_not_come_to_it(cluster: FakeCluster) -> None:
    """While instances are there, and afterwards; nor does one that is deployed later. What is there stays."""
    pair = {"nightly-task.service", "nightly-task.timer"}
    launch_pair(cluster, M1)
    assert PERIODIC not in conflicts_on(cluster.snapshot(), M1)
    launch_pair(cluster, M2)
    assert PERIODIC in conflicts_on(cluster.snapshot(), M1)
    assert pair < set(conflicts_on(cluster.snapshot(), M1))
    assert begin(cluster)[1] == {}
    assert pair < set(conflicts_on(cluster.snapshot(), M1))
    assert not pair & set(conflicts_on(cluster.snapshot(), M2))


def test_what_cannot_leave_is_named_with_its_reason() -> None:
    """And is not touched, nor would fleet move it: the machine is closed to all but what is there."""
    cluster = FakeCluster(machines=(M1, M2))
    texts = {
        "alone@1.service": text_of("alone"),
        f"every@{M1}.service": text_of("every", global_unit=True),
        "port@1.service": text_of("port", ports=(Port(80, 8080),)),
        "port@2.service": text_of("port", ports=(Port(80, 8080),)),
        "task@1.service": text_of("task", service=(("Type", "oneshot"),)),
        "other@1.service": text_of("other", app="theirs"),
        "main@1.service": text_of("main"),
        "side@1.service": text_of("side", machine_of=("main@1.service",)),
    }
    for name, text in texts.items():
        cluster.launch(name, text)
        machine = M2 if name == "port@2.service" else M1
        cluster.units[name] = replace(cluster.units[name], machine_id=machine)
    moved, stays = begin(cluster)
    assert moved == []
    assert {name: why.partition(",")[0] for name, why in stays.items()} == {
        "alone@1.service": "it is the only instance of its service",
        f"every@{M1}.service": "it is bound to this machine",
        "main@1.service": "other units must be on its machine",
        "other@1.service": "it is not of this app and stack",
        "port@1.service": "no other machine can take it",
        "side@1.service": "no other machine can take it",
        "task@1.service": "it is a task",
    }
    assert conflicts_on(cluster.snapshot(), M1) == ("port@2.service", TASKS, PERIODIC)
    assert begin(cluster, with_outage=True)[0] == ["alone@1.service"]
    assert cluster.units["alone@1.service"].machine_id == M2


def test_a_task_is_neither_moved_nor_waited_for(cluster: FakeCluster) -> None:
    """Whatever texts its runs have. None begins on the machine any more, unless one is there: fleet would move it."""
    unit = "migrate-task@0badc0de.service"
    launch_task(cluster, unit, "v1", M1)
    launch_task(cluster, "migrate-task@11111111.service", "v2", M2)
    assert services_on(cluster.ownership, cluster.snapshot()) == ("web",)
    moved, stays = begin(cluster)
    assert moved == ["web@1.service", "web@4.service"]
    assert stays == {unit: "it runs the task migrate of a deployment; wait for its end"}
    assert unit in cluster.runs
    assert not [key for key in cluster.etcd.entries if key.endswith("/migrate")]
    assert TASKS not in conflicts_on(cluster.snapshot(), M1)
    cluster.delete(unit)
    assert TASKS in conflicts_on(cluster.snapshot(), M1)


def launch_task(cluster: FakeCluster, unit: str, command: str, machine: str) -> None:
    """A run of the task migrate with this *command*, on *machine*."""
    spec = ServiceSpec("migrate", "the schema", "shop", (command,))
    cluster.launch(unit, render_task(TaskSpec(spec), Mark(APP, STACK, "migrate")).text)
    cluster.units[unit] = replace(cluster.units[unit], machine_id=machine)


def test_an_instance_that_does_not_come_up_ends_it(cluster: FakeCluster) -> None:
    """The others stay, and the machine stays closed."""
    cluster.homeless = frozenset(["web@1.service"])
    with pytest.raises(RolloutFailed, match=r"stopped there\.\n10\.0\.0\.1 stays in maintenance: .* maintenance off"):
        begin(cluster)
    assert cluster.units["web@4.service"].machine_id == M1
    assert set(CORDON) <= cluster.units.keys()


def test_a_machine_that_takes_no_unit_is_not_closed() -> None:
    """With what to do; nothing is moved."""
    cluster = FakeCluster(machines=(M1, M2), homeless=CORDON)
    with pytest.raises(DeadlineExceeded, match="did not place"):
        close(cluster, MACHINE)


def test_the_units_of_the_maintenance_are_no_strays(cluster: FakeCluster) -> None:
    """Nor a service that could be moved or restarted; and fleet accepts them."""
    close(cluster, MACHINE)
    snapshot = cluster.snapshot()
    assert find_strays(snapshot.units, cluster.ownership, ["web"], own_cluster=True).own == ()
    assert services_on(cluster.ownership, snapshot) == ("web",)
    for name, file in cordon_files(cluster.ownership, MACHINE, conflicts_on(snapshot, M1)).items():
        assert refusals(name, file) == ()
        assert file.mark
        assert file.mark.stack == STACK
