"""The provider of a task: when it runs, what is read back, and what stays when it is removed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from components import fleet_task
from components.fleet_task import TaskProvider
from components.host.provider_registry import PROVIDERS
from fleetcaptain.discovery.keys import task_key
from fleetcaptain.errors import RolloutFailed
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.tasks.task_run import RunState, TaskRun, wanted_run
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task
from tests.fakes.fake_site import APP, Site
from tests.fakes.unit_texts import unit_hash, with_image
from tests.unit.components.deployed import CONNECTION, IMAGE, STACK

PROVIDER = TaskProvider()
UNIT = render_task(TaskSpec(ServiceSpec("migrate", "x", "shop", ("rake",))), Mark(APP, STACK, "migrate")).text
INPUTS: dict[str, Any] = {
    "app": APP,
    "task": "migrate",
    "unit": UNIT,
    "image": IMAGE,
    "before": ["web"],
    "state": "done",
    "cluster": CONNECTION,
}
KEY = task_key(APP, "migrate")
WANTED = wanted_run("migrate", unit_hash(with_image(UNIT, IMAGE)), "0badc0de", "jo@host", "2026-01-02T03:04:05+00:00")
DONE = replace(WANTED, state=RunState.DONE, machine="m1", reason="exited", until="2026-01-02T03:05:00Z")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the resource's row."""
    lines: list[str] = []
    monkeypatch.setattr(fleet_task, "status", lines.append)
    return lines


@pytest.fixture
def ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The result that the machines write for each requested run."""
    ends: dict[str, Any] = {"state": RunState.DONE, "status": 0}
    passes = site.wait

    def wait(seconds: float) -> None:
        passes(seconds)
        run = TaskRun.from_json(site.etcd.values[KEY]) if KEY in site.etcd.values else DONE
        if run.state is RunState.WANTED and run.unit in site.texts:
            site.etcd.put(KEY, replace(run, machine="m1", reason="exited", until=DONE.until, **ends).to_json())

    monkeypatch.setattr(site, "wait", wait)
    return ends


def read(props: dict[str, Any] | None = None) -> Any:
    """What is read back as the state of the task."""
    inputs = PROVIDER.read("migrate", props or INPUTS).inputs
    assert inputs is not None
    return inputs["state"]


def test_its_kind_is_in_the_table() -> None:
    """For the provider's host."""
    assert PROVIDERS["Task"] is TaskProvider


@pytest.mark.usefixtures("ends", "said")
def test_a_task_that_ran_reads_back_as_its_inputs(site: Site) -> None:
    """So the next preview shows no difference, and no unit is left."""
    outs = PROVIDER.create(INPUTS).outs
    assert outs is not None
    assert outs["result"] == {"status": 0, "until": DONE.until}
    assert site.texts == {}
    assert PROVIDER.read("migrate", outs).inputs == INPUTS


@pytest.mark.usefixtures("said")
def test_a_failure_fails_the_deployment(ends: dict[str, Any]) -> None:
    """The next one shows it as a difference, and runs it again."""
    ends |= {"state": RunState.FAILED, "status": 3}
    with pytest.raises(RolloutFailed, match=r"The task migrate failed on 10\.0\.0\.1: .* exit code 3"):
        PROVIDER.update("migrate", {}, INPUTS)
    assert read() == "failed"


@pytest.mark.parametrize(
    ("run", "state"),
    [
        (None, "not run"),
        (DONE, "done"),
        (WANTED, "wanted"),
        (replace(WANTED, state=RunState.RUNNING), "running"),
        (replace(DONE, unit_hash="0" * 40), "not run"),
    ],
)
def test_what_is_read_back(site: Site, run: TaskRun | None, state: str) -> None:
    """From the journal: of this text alone."""
    if run is not None:
        site.etcd.put(KEY, run.to_json())
    assert read() == state


@pytest.mark.parametrize(
    ("olds", "news", "line"),
    [
        ({}, {}, "will run before web"),
        ({}, {"before": []}, "will run after all services"),
        (INPUTS, {}, None),
        ({**INPUTS, "state": "failed"}, {}, "will run before web"),
        ({**INPUTS, "image": "other@sha256:1"}, {}, "will run before web"),
    ],
)
@pytest.mark.usefixtures("site")
def test_the_preview_says_that_it_will_run(
    said: list[str], olds: dict[str, Any], news: dict[str, Any], line: str | None
) -> None:
    """Nothing is said of a task without a difference."""
    PROVIDER.check(olds, {**INPUTS, **news})
    assert said == ([] if line is None else [line])


def test_the_preview_says_that_it_has_run(site: Site, said: list[str]) -> None:
    """Unless that is unknown: the image is not built yet, or there is no cluster."""
    site.etcd.put(KEY, DONE.to_json())
    for news in ({}, {"image": "unknown"}, {"cluster": "unknown"}):
        PROVIDER.check({}, {**INPUTS, **news})
    assert said == ["has run already, at 2026-01-02T03:05:00Z", "will run before web", "will run before web"]


@pytest.mark.usefixtures("ends", "said")
def test_a_removed_task_leaves_its_journal(site: Site) -> None:
    """A rollback declares no tasks. The next deployment runs none of them again."""
    PROVIDER.create(INPUTS)
    site.start({"migrate-task@11111111.service": with_image(UNIT, IMAGE)})
    PROVIDER.delete("migrate", INPUTS)
    assert site.texts == {}
    assert read() == "done"
