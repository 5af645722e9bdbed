"""A task runs once before its services; its failure stops them, a killed deployment does not stop it. A periodic one
moves with its timer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count, pairwise

import pytest

from fleetcaptain.fleetfile import load
from fleetcaptain.tasks.periodic_pair import INSTALLED, PeriodicPair, pair_state
from fleetcaptain.tasks.run_task import run_task
from fleetcaptain.tasks.task_run import RunState, TaskRun
from fleetcaptain.tasks.task_store import TaskStore
from fleetcaptain.units.render_task import TaskFiles, render_tasks
from tests.e2e.stack import Stack
from tests.faults.killed_task import run_killed
from tests.faults.machine_faults import alive, killed, machine_id, machine_of, machines, run_on, settled, until
from tests.faults.running import running

_FLEETFILE = """
from fleetcaptain import Fleetfile, Rolling, Service, Task

NAME, NEEDS, SECONDS = "first", "log", 0

fleet = Fleetfile(
    app="behavioral",
    image="hackuman/behavioral",
    services=[
        Service("web", command="sleep 1000000", env={"NAME": NAME}, stop_sec=1, rollout=Rolling(min_healthy_sec=1)),
    ],
    tasks=[
        Task(
            "migrate",
            command=["sh", "-c", "echo $NAME >>/ran/log; echo step $NAME; sleep $SECONDS; ls /ran/$NEEDS"],
            env={"NAME": NAME, "NEEDS": NEEDS, "SECONDS": SECONDS},
            volumes=["/srv/ran:/ran"],
            before=["web"],
        ),
    ],
)
"""
_PERIODIC = """        Task(
            "tick",
            every="*:*:0/10",
            command=["sh", "-c", "date +%s.%N >>/ran/ticks; sleep 2; date +%s.%N >>/ran/ticks; echo tick"],
            volumes=["/srv/ran:/ran"],
        ),
    ],
)
"""
_YEARLY = """        Task("yearly", every="*-01-01 03:30", command="echo CHANGES"),
    ],
)
"""
_END = "    ],\n)\n"
_SETTINGS = '"first", "log", 0'


@pytest.fixture
def shop(stack: Stack) -> Stack:
    """The stack with one service and a task before it, which says on its machine that it ran."""
    fleetfile = stack.app / "Fleetfile.py"
    if fleetfile.read_text() != _FLEETFILE:
        for machine in machines(stack).values():
            run_on(machine, "sh", "-c", "rm -rf /srv/ran && mkdir /srv/ran")
        fleetfile.write_text(_FLEETFILE)
        stack.set("strays", "remove")
        stack.up()
    return stack


def _runs(stack: Stack) -> list[str]:
    """The names with which the task ran, on any machine."""
    return [name for machine in machines(stack).values() for name in _log(machine)]


def _log(machine: object) -> list[str]:
    return run_on(machine, "sh", "-c", "cat /srv/ran/log 2>/dev/null || true").split()


def _units(stack: Stack) -> dict[str, str]:
    """Name -> hash of all units of the app."""
    return {name: unit.unit_hash for name, unit in stack.cluster().snapshot().units.items() if unit.mark}


def test_a_task_runs_once_and_its_failure_stops_the_services(shop: Stack) -> None:
    """The next ``up`` runs what failed again, and what succeeded not."""
    assert _runs(shop).count("first") == 1
    shop.rests()
    before = _units(shop)
    assert not [name for name in before if "-task@" in name]
    shop.edit("Fleetfile.py", {_SETTINGS: '"second", "ready", 0'})
    preview = shop.preview().output
    assert "will run before web" in preview
    assert "NAME=second" in preview
    error = shop.fails().error
    assert "The task migrate failed on 10." in error
    assert "its command ended with exit code" in error
    assert "  step second\n" in error
    assert _units(shop) == before
    for machine in machines(shop).values():
        run_on(machine, "touch", "/srv/ran/ready")
    shop.up()
    assert _runs(shop).count("second") == 2
    assert _units(shop)["web@1.service"] != before["web@1.service"]
    shop.rests()
    assert sorted(_runs(shop)) == ["first", "second", "second"]


def test_the_next_up_has_the_run_of_a_killed_one(shop: Stack) -> None:
    """It is the machine's, not the client's: it goes on, and does not run again."""
    shop.edit("Fleetfile.py", {_SETTINGS: '"third", "log", 30'})
    with running(shop) as run:
        run.until("migrate .*step third")
        run.kill("provider")
        run.kill("pulumi")
        run.end()
    shop.free()
    output = shop.up().output
    # by then it may have ended
    assert "following migrate-task@" in output or "it has run already" in output
    assert _runs(shop).count("third") == 1
    shop.rests()


def _named(stack: Stack, name: str, seconds: int = 0) -> TaskFiles:
    """The files of a text of the task that says *name*, as a deployment has them."""
    return _rendered(stack, "migrate", {_SETTINGS: f'"{name}", "log", {seconds}'})


def _rendered(stack: Stack, task: str, changes: Mapping[str, str]) -> TaskFiles:
    """The files of *task*, with the image, in the Fleetfile with *changes*."""
    with stack.edited("Fleetfile.py", changes):
        app = load(stack.app)
    web = stack.cluster().snapshot().units["web@1.service"]
    assert web.mark is not None
    files = render_tasks(app, web.mark.stack)[task]
    return replace(files, unit=files.unit.with_image(web.file.without_image()[1]))


def test_a_deployment_killed_after_any_change_leaves_one_run(shop: Stack) -> None:
    """The next one has its result, whether the run was wanted, installed, begun, ended or kept by then."""
    for changes in count(1):
        name = f"killed{changes}"
        files = _named(shop, name)
        was_killed = run_killed(shop, "migrate", files, changes)
        assert not run_killed(shop, "migrate", files, 0)
        assert _runs(shop).count(name) == 1
        if not was_killed:
            break
    assert changes > 5


def test_a_deployment_killed_while_it_installs_a_pair_is_continued(shop: Stack) -> None:
    """By the next one. One without the task removes what it left."""
    for changes in (2, 5):
        files = _rendered(shop, "yearly", {_END: _YEARLY.replace("CHANGES", str(changes))})
        assert files.timer is not None
        assert run_killed(shop, "yearly", files, changes)
        assert not run_killed(shop, "yearly", files, 0)
        pair = PeriodicPair("yearly", files.unit, files.timer)
        assert pair_state(pair, shop.cluster().snapshot()) == INSTALLED
    shop.up()
    assert not [name for name in _units(shop) if name.startswith("yearly")]


def test_two_deployments_share_one_run(shop: Stack) -> None:
    """Both have its result."""
    file = _named(shop, "both", seconds=3).unit
    assert file.mark is not None
    own, said = shop.cluster().owned_by(file.mark.stack), list[str]()
    with ThreadPoolExecutor(2) as pool:
        ended = [pool.submit(run_task, own, "migrate", file, said.append) for _ in range(2)]
        runs = {future.result().unit for future in ended}
    assert len(runs) == 1
    assert _runs(shop).count("both") == 1
    assert said.count("step both") == 2


def test_a_periodic_task_runs_again_on_another_machine(shop: Stack) -> None:
    """When that of its timer dies; never twice at once. Its result is kept. A deployment of it runs nothing."""
    shop.edit("Fleetfile.py", {_END: _PERIODIC})
    shop.up()
    ended = _ended(shop)
    until(lambda: len(ended()) > 1, "it ran twice")
    shop.rests()
    (task,) = json.loads(shop.captain("status", "--json").output)["periodic_tasks"]
    assert (task["name"], task["every"], task["trouble"]) == ("tick", "*-*-* *:*:00/10", "")
    assert task["next_run"]
    logs = shop.captain("logs", "tick", "--lines", "50").output
    assert any(line.endswith("| tick") for line in logs.splitlines()), logs
    lost = machine_of(shop, "tick-task.timer")
    before, lost_id = len(ended()), machine_id(lost)
    until(lambda: len(ended()) > before, "a run ended: the next one is some seconds away")
    assert ended()[-1].machine == lost_id
    with killed(lost):
        until(lambda: ended()[-1].machine != lost_id, "it ran elsewhere")
    until(lambda: alive(shop.cluster()) == 3, "the machine is back")
    times = [_times(machine) for machine in machines(shop).values()]
    runs = sorted(run for found in times for run in zip(found[::2], found[1::2], strict=False))
    assert len(runs) >= len(ended())
    assert all(first[1] < second[0] for first, second in pairwise(runs)), runs
    shop.edit("Fleetfile.py", {_PERIODIC: _END})
    shop.up()
    until(lambda: settled(shop.cluster()), "its units are gone")


def _ended(stack: Stack) -> Callable[[], list[TaskRun]]:
    """A function that returns the runs of the periodic task that it has seen to end."""
    store, found = TaskStore(stack.cluster().store, "behavioral", "tick"), list[TaskRun]()

    def ended() -> list[TaskRun]:
        _node, run = store.last()
        if run is not None and not run.is_active and run not in found:
            assert (run.state, run.tail) == (RunState.DONE, "tick\n"), run
            found.append(run)
        return found

    return ended


def _times(machine: object) -> list[float]:
    """When runs began and ended on *machine*, in turn."""
    text = run_on(machine, "sh", "-c", "cat /srv/ran/ticks 2>/dev/null || true")
    return [float(word) for word in text.split()]
