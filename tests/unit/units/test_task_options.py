"""A task: ``service={"Type": "oneshot"}``. It is done, and registered, when its command has ended with exit code 0."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fleetcaptain.fleetfile.task import is_task
from fleetcaptain.fleetfile.values import BlueGreen, Port, ServiceSpec
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refusals
from tests.unit.units.specs import MARK
from tests.unit.units.systemd import exec_values

TASK = ServiceSpec("migrate", "migrate", "acme/shop", command=("true",), service=(("Type", "oneshot"),))


def value(text: str, option: str) -> list[str]:
    """The values of an option."""
    return re.findall(rf"^{option}=(.*)$", text, re.MULTILINE)


def test_a_task_stays_done_and_is_not_repeated() -> None:
    """systemd keeps it active after its end, and starts it neither again nor after a failure."""
    text = render(TASK, MARK).text
    assert value(text, "RemainAfterExit") == ["yes"]
    assert value(text, "Restart") == ["no"]
    assert refusals("migrate@1.service", UnitFile.parse(text)) == ()


def test_a_task_that_was_killed_is_not_done() -> None:
    """Of a service these exit codes are a stop that was asked for."""
    assert value(render(TASK, MARK).text, "SuccessExitStatus") == []
    assert value(render(replace(TASK, service=()), MARK).text, "SuccessExitStatus") == ["143 137"]


def test_the_time_limit_of_a_task_is_that_of_its_start() -> None:
    """systemd knows no other one."""
    assert value(render(replace(TASK, start_sec=900), MARK).text, "TimeoutStartSec") == ["900"]


def test_a_task_registers_itself_when_its_command_has_ended() -> None:
    """Nothing is waited for: the main process is gone by then. The user's own lines come first."""
    text = render(TASK, MARK).text
    (registered,) = exec_values(text, "ExecStartPost")
    assert registered.endswith("/agent started %n")
    assert value(text, "Ready") == []
    after = exec_values(render(replace(TASK, after_start=("/bin/a",)), MARK).text, "ExecStartPost")
    assert after[0] == "/bin/a"
    assert len(after) == 2


def test_a_task_has_no_container_to_stop() -> None:
    """A stop takes the registration back; a container of a start that was cut off is removed."""
    text = render(TASK, MARK).text
    assert "docker stop" not in text
    assert "docker rm -fv" in text
    with_lines = exec_values(render(replace(TASK, before_stop=("/bin/a",)), MARK).text, "ExecStop")
    assert [line for line in with_lines if "docker" in line] == []


@pytest.mark.parametrize("port", [Port(80), Port(80, 8080), Port(80, 8080, 8090)])
def test_the_ports_of_a_task_are_published_while_it_runs_and_not_registered(port: Port) -> None:
    """Nothing answers there afterwards, and docker could not be asked any more."""
    text = render(replace(TASK, ports=(port,)), MARK).text
    assert "-p " in exec_values(text, "ExecStart")[0]
    assert value(text, "Ports") == []


def test_what_the_user_says_stands() -> None:
    """Where it can."""
    given = (("Type", "oneshot"), ("RemainAfterExit", "true"), ("Restart", "on-failure"))
    text = render(replace(TASK, service=given), MARK).text
    found = [value(text, name) for name in ("RemainAfterExit", "Restart")]
    assert found == [["true"], ["on-failure"]]
    assert refusals("migrate@1.service", UnitFile.parse(text)) == ()


def test_own_lines_several_of_them_many_instances_and_every_machine_may_be_tasks() -> None:
    """systemd runs the lines of a task one after the other."""
    for more in (
        {"start": ("/bin/a", "/bin/b"), "image": ""},
        {"instances": 3},
        {"global_unit": True},
        {"rollout": BlueGreen()},
    ):
        text = render(replace(TASK, **more), MARK).text
        assert refusals("migrate@1.service", UnitFile.parse(text)) == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((("Type", "oneshot"),), True),
        ((("Type", "simple"), ("Type", "oneshot")), True),
        ((("Type", "oneshot"), ("Type", "simple")), False),
        ((("Type", "notify"),), False),
        ((("RemainAfterExit", "yes"),), False),
        ((), False),
    ],
)
def test_the_last_type_counts(options: tuple[tuple[str, str], ...], expected: bool) -> None:
    """As in systemd; and a unit's text says the same as the Fleetfile."""
    spec = replace(TASK, service=options)
    assert is_task(spec.service) is expected
    assert render(spec, MARK).is_task is expected
