"""What a task, ``service={"Type": "oneshot"}``, may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fleetfile.written import mistakes, service

ONESHOT = 'service={"Type": "oneshot"}'


@pytest.mark.parametrize("ready", ['Http("/")', "Tcp(80)", 'Command("true")'])
def test_a_task_that_waits_for_readiness_is_refused(tmp_path: Path, ready: str) -> None:
    """With the keyword that can wait."""
    (problem,) = mistakes(tmp_path, f'Service("job", ports=[80], ready={ready}, {ONESHOT})')
    assert "Fleetfile.py:3: service 'job': ready: a task (Type=oneshot) cannot have it" in problem
    assert "write the check into after_start=" in problem


@pytest.mark.parametrize("said", ['"no"', '"false"', "0", "False", '["yes", "no"]'])
def test_a_task_that_would_be_forgotten_is_refused(tmp_path: Path, said: str) -> None:
    """It looks the same as one that was stopped."""
    (problem,) = mistakes(tmp_path, f'Service("job", service={{"Type": "oneshot", "RemainAfterExit": {said}}})')
    assert "service: RemainAfterExit=" in problem
    assert "a finished task (Type=oneshot) would look like a stopped one" in problem


def test_all_mistakes_of_all_tasks_are_in_one_report(tmp_path: Path) -> None:
    """A public port has nothing to lead to."""
    one = f'Service("a", ports=["80:80"], public=80, ready=Tcp(), {ONESHOT})'
    found = mistakes(tmp_path, f'{one},\nService("b", ready=Command("true"), {ONESHOT})')
    assert len(found) == 3
    assert any("service 'a': public: a task" in problem for problem in found)


@pytest.mark.parametrize(
    "arguments",
    [
        ONESHOT,
        f"{ONESHOT}, instances=3",
        f"{ONESHOT}, instances=True",
        f"{ONESHOT}, global_unit=True",
        f'{ONESHOT}, ports=["80:80"]',
        f'{ONESHOT}, start=["/bin/a", "/bin/b"], after_start="/bin/c"',
        'service={"Type": "oneshot", "RemainAfterExit": True, "Restart": "on-failure"}',
        'service={"Type": ["oneshot", "exec"], "RemainAfterExit": "no"}, ready=Command("true")',
        'service={"RemainAfterExit": "no"}',
    ],
)
def test_all_else_is_taken(tmp_path: Path, arguments: str) -> None:
    """Also by what is no task."""
    assert service(tmp_path, arguments).name == "web"
