"""A saved plan is applied to what it was made from, and to nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from components.app_image import CONTEXT_HASH
from components.engine.plan_option import plan_in
from components.saved_plan import refuse_changed
from fleetcaptain.errors import ReleaseRefused
from fleetcaptain.fleetfile import load
from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.values import App
from fleetcaptain.release.context_hash import context_hash
from fleetcaptain.release.service_release import parts_of_app
from fleetcaptain.units.render import render_app
from fleetcaptain.units.render_task import TaskFiles, render_tasks
from fleetcaptain.units.unit_file import UnitFile

_FLEETFILE = """
from fleetcaptain import Fleetfile, Service, Task

fleet = Fleetfile(
    app="shop",
    image="acme/shop",
    services=[Service("web", instances=2), Service("redis", image="redis:7")],
    tasks=[Task("migrate", command="migrate up", before=["web"]), Task("nightly", command="report", every="03:30")],
)
"""
_STACK = "urn:pulumi:dev::fleetcaptain"
_APP = f"{_STACK}::fleetcaptain:index:FleetApp"


def read(folder: Path) -> tuple[App, dict[str, UnitFile], dict[str, TaskFiles]]:
    """The app in *folder*, the units of its services, and the files of its tasks."""
    app = load(folder)
    return app, render_app(app, "fleetcaptain/dev"), render_tasks(app, "fleetcaptain/dev")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An app with a Dockerfile and one source file."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Fleetfile.py").write_text(_FLEETFILE)
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "app" / "server.py").write_text("old")
    for path in (tmp_path / "app").iterdir():
        os.utime(path, (0, 0))
    return tmp_path / "app"


def timer_inputs(tasks: dict[str, TaskFiles]) -> dict[str, Any]:
    """The inputs of the periodic task that a plan compares."""
    files = tasks["nightly"]
    assert files.timer is not None
    return {"task": "nightly", "unit": files.unit.text, "timer": files.timer.text}


@pytest.fixture
def plan(folder: Path) -> Path:
    """A plan of it: the image and the agent are kept, web is kept, redis is created."""
    app, files, tasks = read(folder)
    resources: dict[str, Any] = {
        f"{_APP}$fleetcaptain:index:AppImage$docker-build:index:Image::shop": {
            "steps": ["same"],
            "state": {"buildArgs": {CONTEXT_HASH: context_hash(BuildContext(folder, folder / "Dockerfile"))}},
        },
        f"{_APP}$pulumi-python:dynamic/fleet:Unit::shop-agent": {"steps": ["same"], "state": {"mode": "everywhere"}},
        f"{_APP}$pulumi-python:dynamic/fleet:Unit::gone": {"steps": ["delete"]},
        f"{_APP}$pulumi-python:dynamic/fleet:Task::migrate": {
            "steps": ["create"],
            "goal": {"inputDiff": {"adds": {"task": "migrate", "unit": tasks["migrate"].unit.text}}},
        },
        f"{_APP}$pulumi-python:dynamic/fleet:Timer::nightly": {"steps": ["same"], "state": timer_inputs(tasks)},
    }
    for part in parts_of_app(app, files):
        rollout = {key: float(value) if type(value) is int else value for key, value in part.rollout.items()}
        inputs = {"unit": part.unit.text, "instances": 2.0 if part.service == "web" else 1.0, "mode": str(part.mode)}
        resources[f"{_APP}$pulumi-python:dynamic/fleet:Unit::{part.service}"] = {
            "steps": ["update"],
            "goal": {"inputDiff": {"updates": {"unit": part.unit.text}}},
            "state": {**inputs, "unit": "as it was read on the cluster", "rollout": rollout},
        }
    file = folder.parent / "plan.json"
    file.write_text(json.dumps({"manifest": {"time": "2026-11-26T18:42:51.987082994Z"}, "resourcePlans": resources}))
    return file


def test_what_was_planned_may_be_applied(folder: Path, plan: Path) -> None:
    """Numbers are floats in a plan, and the goal takes the place of what was read."""
    refuse_changed(plan, *read(folder))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("server.py", "old", "new"), "the files of the image shop changed"),
        (("Dockerfile", "FROM scratch", "FROM alpine"), "the files of the image shop changed"),
        (("Fleetfile.py", "instances=2", "instances=3"), "the number of instances of web changed"),
        (("Fleetfile.py", '"redis:7"', '"redis:7", restart_sec=9'), "the unit of redis changed"),
        (("Fleetfile.py", 'Service("web"', 'Service("queue"), Service("web"'), "the service queue (new) changed"),
        (("Fleetfile.py", "migrate up", "migrate down"), "the unit of the task migrate changed"),
        (("Fleetfile.py", '"report"', '"other"'), "the unit of the task nightly changed"),
        (("Fleetfile.py", "03:30", "04:30"), "the calendar of the task nightly changed"),
        (("Fleetfile.py", 'Task("nightly"', 'Task("daily"'), "the task daily (new) and the task nightly (removed)"),
        (
            ("Fleetfile.py", 'Task("migrate"', 'Task("seed"'),
            "the task seed (new) and the task migrate (removed)",
        ),
        (("Fleetfile.py", ', Service("redis", image="redis:7")', ""), "the service redis (removed) changed"),
    ],
)
def test_one_sentence_names_what_changed(folder: Path, plan: Path, change: tuple[str, str, str], said: str) -> None:
    """And what to do; the Fleetfile is in the image here, so it may be named as well."""
    name, old, new = change
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    with pytest.raises(ReleaseRefused) as error:
        refuse_changed(plan, *read(folder))
    heading = str(error.value).splitlines()[0].replace("the files of the image shop and ", "")
    assert heading.startswith("Cannot apply the plan plan.json: since it was made, ")
    assert said in heading
    assert heading.endswith("Nothing was changed:")
    assert error.value.problems == ("make another plan: `pulumi preview --save-plan plan.json`",)


def test_a_file_written_since_is_named(folder: Path, plan: Path) -> None:
    """As long as there are few: a fresh checkout has only new ones."""
    (folder / "server.py").write_text("new")
    later = 4_000_000_000
    os.utime(folder / "server.py", (later, later))
    with pytest.raises(ReleaseRefused, match=r"image shop changed \(written since: server\.py\)"):
        refuse_changed(plan, *read(folder))
    for number in range(4):
        (folder / f"{number}.py").touch()
        os.utime(folder / f"{number}.py", (later, later))
    with pytest.raises(ReleaseRefused, match=r"image shop changed\. Nothing"):
        refuse_changed(plan, *read(folder))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("args={'NODE': '24'}", "the build arguments of the image web"),
        ("args={'NODE': '22'}, target='web'", "the target of the image web"),
        ("args={'NODE': '22'}, secrets=['TOKEN']", "the build secrets of the image web"),
        ("args={'NODE': '22'}, platforms=['linux/arm64']", "the platforms of the image web"),
    ],
)
def test_a_changed_input_of_a_build_is_named(folder: Path, plan: Path, written: str, said: str) -> None:
    """What the plan takes away is no input of it; the values of secrets are not compared."""
    start = "from fleetcaptain import Build, Fleetfile, Service\n"
    start += "Fleetfile(app='shop', services=[Service('web', image=Build("
    (folder / "Fleetfile.py").write_text(f"{start}args={{'NODE': '22'}}))])\n")
    hashed = context_hash(BuildContext(folder, folder / "Dockerfile"))
    state = {"buildArgs": {CONTEXT_HASH: hashed, "NODE": "20"}, "target": "web", "secrets": {"TOKEN": "x"}}
    state["ignoreSecretsInDiffCalculation"] = ["TOKEN"]
    goal = {
        "updates": {"buildArgs": {CONTEXT_HASH: hashed, "NODE": "22"}},
        "deletes": ["target", "secrets", "ignoreSecretsInDiffCalculation"],
    }
    resources = json.loads(plan.read_text())
    resources["resourcePlans"] = {
        f"{_APP}$fleetcaptain:index:AppImage$docker-build:index:Image::web": {
            "steps": ["update"],
            "state": state,
            "goal": {"inputDiff": goal},
        },
    }
    app, files, _ = read(folder)
    (web,) = parts_of_app(app, files)
    resources["resourcePlans"][f"{_APP}$pulumi-python:dynamic/fleet:Unit::web"] = {
        "steps": ["same"],
        "state": {"unit": web.unit.text, "instances": 1, "mode": str(web.mode), "rollout": dict(web.rollout)},
    }
    plan.write_text(json.dumps(resources))
    refuse_changed(plan, *read(folder))
    with pytest.raises(ReleaseRefused, match="the platforms of the image web"):
        refuse_changed(plan, *read(folder), platforms=("linux/amd64",))
    (folder / "Fleetfile.py").write_text(f"{start}{written}))])\n")
    hashed_again = context_hash(BuildContext(folder, folder / "Dockerfile"))
    plan.write_text(plan.read_text().replace(hashed, hashed_again))
    with pytest.raises(ReleaseRefused) as error:
        refuse_changed(plan, *read(folder))
    assert f"since it was made, {said} changed" in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"manifest": {"time": 3}, "resourcePlans": {}}'])
def test_a_plan_that_cannot_be_read_is_left_to_the_engine(folder: Path, plan: Path, text: str) -> None:
    """Which says what is wrong with it."""
    plan.write_text(text)
    refuse_changed(plan, *read(folder))


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["/opt/pulumi", "up", "--plan", "p.json", "--yes"], "p.json"),
        (["pulumi", "up", "--plan=a/b", ""], "a/b"),
        (["pulumi", "up", "--yes", ""], ""),
        (["pulumi", "up", "--plan"], ""),
        (["make", "up", "--plan", "p.json"], ""),
        ([], ""),
    ],
)
def test_the_plan_is_in_the_command_line_of_pulumi(argv: list[str], found: str) -> None:
    """And in no other program's."""
    assert plan_in(argv) == found
