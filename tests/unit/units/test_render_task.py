"""What a task becomes as unit text. Another text is another run, so the golden file is a contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleet.entities import UnitEntity
from fleetcaptain.fleetfile.values import App, Build, ServiceSpec, TaskSpec
from fleetcaptain.rollout.strays import find_strays
from fleetcaptain.units.mark import Mark, Ownership
from fleetcaptain.units.names import periodic_units, task_unit
from fleetcaptain.units.render_task import render_task, render_tasks, render_timer
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refusals
from tests.fakes.unit_texts import canonical
from tests.unit.units.systemd import command, exec_values
from tests.unit.units.test_render import check_golden

MARK = Mark("behavioral", "behavioral/dev", "migrate")
SPEC = ServiceSpec(
    "migrate",
    "The schema: 100%",
    Build(),
    ("sh", "-c", 'rake "$1"; echo 100%', "x"),
    volumes=("data:/data",),
    env=(("RAILS_ENV", "production"),),
    docker_args=("--init", "-m", "1g"),
    machine_metadata=("disk=ssd",),
)
TASK = TaskSpec(SPEC, before=("web",), after=("db",), timeout_sec=900)


def test_a_task_has_exactly_this_text() -> None:
    """Neither the services around it nor the name of its unit are part of it: a change of these runs nothing."""
    text = render_task(TASK, MARK).text
    check_golden("migrate_task.service", text)
    assert canonical(text) == text
    assert render_task(replace(TASK, before=(), after=()), MARK).text == text
    file = UnitFile.parse(text)
    assert (file.mark, file.task, file.is_task) == (MARK, "migrate", True)
    assert refusals(task_unit("migrate", "0badc0de"), file.with_image("a@sha256:1")) == ()


def test_the_agent_gets_the_words_of_docker() -> None:
    """As they were written, after its own."""
    env = {"IMAGE": "img", "COREOS_PRIVATE_IPV4": "10.0.0.1"}
    specifiers = {"p": "migrate-task", "i": "0badc0de", "n": "migrate-task@0badc0de.service"}
    words = command(exec_values(render_task(TASK, MARK).text, "ExecStart")[0], specifiers, env)
    agent = ["/bin/sh", "/run/fleetcaptain/behavioral/agent", "task", "migrate-task@0badc0de.service"]
    assert words[:7] == [*agent, "/usr/bin/docker", "run", "--rm"]
    assert "fc.behavioral.migrate-task.0badc0de" in words
    assert words[-5:] == ["img", "sh", "-c", 'rake "$1"; echo 100%', "x"]


def test_what_fleet_mishandles_is_refused_at_the_tasks_line() -> None:
    """Before anything is changed."""
    spec = replace(SPEC, docker_args=("--label", "x" * 3000), location="Fleetfile.py:7")
    app = App("behavioral", (), Path("/app"), tasks=(replace(TASK, container=spec),))
    with pytest.raises(FleetfileError, match=r"Fleetfile\.py:7: task 'migrate': the line .* bytes"):
        render_tasks(app, "behavioral/dev")
    assert set(render_tasks(replace(app, tasks=(TASK,)), "behavioral/dev")) == {"migrate"}


def test_the_unit_of_a_task_is_no_stray() -> None:
    """Also of one that the Fleetfile does not have any more. A service's unit of this name is."""
    file = render_task(TASK, MARK)
    as_service = UnitFile(tuple(option for option in file.options if option.name != "Task"))
    units = {
        name: UnitEntity(name, one, "launched", "launched", None)
        for name, one in (("migrate-task@0badc0de.service", file), ("migrate-task@1.service", as_service))
    }
    found = find_strays(units, Ownership("behavioral", "behavioral/dev"), ["web"], own_cluster=True)
    assert (found.own, found.suspect) == (("migrate-task@1.service",), ())


NIGHTLY = replace(TASK, before=(), after=(), every="Mon..Fri *-*-* 03:30:00 America/Chicago")


def test_a_periodic_task_is_a_service_and_its_timer() -> None:
    """fleet places the timer beside the service, and only the timer is started. Neither looks like a deployment's."""
    service, timer = render_task(NIGHTLY, MARK), render_timer(NIGHTLY, MARK)
    check_golden("migrate_periodic.service", service.text)
    check_golden("migrate_periodic.timer", timer.text)
    assert canonical(timer.text) == timer.text
    names = periodic_units("migrate")
    assert refusals(names[0], service.with_image("a@sha256:1")) == refusals(names[1], timer) == ()
    assert timer.needs(names[1]).machine_of == (names[0],)
    for file in (service, timer):
        assert (file.mark, file.task, file.periodic) == (MARK, "", "migrate")


def test_the_units_of_a_periodic_task_are_no_strays() -> None:
    """The gate of a deployment removes those that the Fleetfile does not declare."""
    files = dict(zip(periodic_units("migrate"), (render_task(NIGHTLY, MARK), render_timer(NIGHTLY, MARK)), strict=True))
    units = {name: UnitEntity(name, file, "loaded", "loaded", None) for name, file in files.items()}
    assert not find_strays(units, Ownership("behavioral", "behavioral/dev"), ["web"], own_cluster=True).own
