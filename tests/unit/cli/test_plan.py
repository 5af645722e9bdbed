"""``captain plan`` on a pretended cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.keys import window_plan_key
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile import load
from fleetcaptain.release.balanced_app import adapted
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.schedule.window_plan import plan_of
from fleetcaptain.units.render import render_app
from tests.fakes.fake_cluster import FakeCluster
from tools.project_layout import put

_SSH = ["--ssh", "core@10.0.0.1"]
_STACK = "fleetcaptain/dev"
_FLEETFILE = """
from fleetcaptain import Fleetfile, Service

fleet = Fleetfile(
    app="shop",
    services=[
        Service("web", image="web:1", instances=3, restart_sec=5),
        Service("queue", image="web:1", instances=2),
    ],
)
"""
_NOTE = "Images count as unchanged; a build may change them. `pulumi preview` shows images, tasks and machines too.\n"


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeCluster:
    """The services of the Fleetfile run; the file is in the present folder."""
    monkeypatch.chdir(tmp_path)
    Path("Fleetfile.py").write_text(_FLEETFILE)
    cluster = FakeCluster()
    app = load(tmp_path)
    files = render_app(app, _STACK)
    for spec in app.services:
        for number in range(1, spec.instances + 1):
            cluster.launch(f"{spec.name}@{number}.service", files[spec.name].with_image("web@sha256:1").text)
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: cluster)
    return cluster


def edit(old: str, new: str) -> None:
    """Change the Fleetfile."""
    file = Path("Fleetfile.py")
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_what_is_deployed_is_unchanged(deployed: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """With its image, whatever that is."""
    assert main(["plan", *_SSH]) == 0
    assert capsys.readouterr() == ("web: unchanged\nqueue: unchanged\n", _NOTE)
    assert deployed.history == []


@pytest.mark.usefixtures("deployed")
def test_the_fleetfile_of_the_stack_is_planned_from_the_folder_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a deployment finds it: by a setting. Without the setting it says why."""
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "app").mkdir()
    (tmp_path / "Fleetfile.py").rename(tmp_path / "app" / "Fleetfile.py")
    pulumi = tmp_path / "bin" / "pulumi"
    monkeypatch.setenv("PATH", f"{pulumi.parent}:{os.environ['PATH']}")
    for answer, status in (
        ("echo error: no stack selected >&2; exit 1", 2),
        ('[ "$*" = "config get fleetcaptain:project" ] && echo app', 0),
    ):
        put(pulumi, f"#!/bin/sh\n{answer}\n".encode(), mode=0o755)
        assert main(["plan", *_SSH]) == status
    out, err = capsys.readouterr()
    assert out == "web: unchanged\nqueue: unchanged\n"
    assert "`pulumi config get fleetcaptain:project` failed: no stack selected" in err
    assert "--file" in err


def test_each_change_is_shown(deployed: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Another text with its lines, another number, a new service and a removed one. Nothing is changed."""
    edit("restart_sec=5", "restart_sec=6")
    edit('Service("queue", image="web:1", instances=2)', 'Service("mail", image="web:1")')
    assert main(["plan", *_SSH]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "web: 3 instances, one at a time, never fewer than 2 of 3 serve; no record yet of how long it takes",
        "    @@ -9,3 +9,3 @@",
        "     Restart=always",
        "    -RestartSec=5",
        "    +RestartSec=6",
        "     TimeoutStartSec=300",
        "mail: new, with 1 instance",
        "queue: removed, the Fleetfile does not have it",
    ]
    assert deployed.history == []


def test_a_renamed_service_is_neither_new_nor_removed(
    deployed: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until the rename is done."""
    edit('Service("queue", image="web:1"', 'Service("jobs", image="web:1", renamed_from="queue"')
    assert main(["plan", *_SSH]) == 0
    assert capsys.readouterr().out.splitlines() == ["web: unchanged", "jobs: replaces queue, with 2 instances"]
    for name in ("queue@1.service", "queue@2.service"):
        deployed.fleet.delete(name)
    assert main(["plan", *_SSH]) == 0
    assert capsys.readouterr().out.splitlines() == ["web: unchanged", "jobs: new, with 2 instances"]


def test_a_plan_as_json(deployed: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """A stopped instance is a change, too."""
    edit("instances=2", "instances=4")
    deployed.halt("web@2.service")
    assert main(["plan", "--json", *_SSH]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["removed"] == []
    assert [(entry["service"], entry["changed"], entry["instances"]) for entry in found["services"]] == [
        ("web", True, 3),
        ("queue", True, 4),
    ]
    assert found["services"][1] == {
        "service": "queue",
        "new": False,
        "replaces": None,
        "changed": True,
        "windows_change": False,
        "lowest": 2,
        "seconds": None,
        "instances": 4,
        "lines": [],
    }


def test_changed_windows_are_a_change(deployed: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Also alone, with the same units."""
    spec = WindowSpec("peak", 5, 210, 270, tuple(range(7)), (), "UTC")
    plan = plan_of("web@%.service", 3, [spec], 180, int(deployed.wall_clock()))
    deployed.store.write(window_plan_key("shop", "web"), plan.to_text())
    same = 'instances=3, scale=[Window("peak", at_least=5, ready_by="03:30", until="04:30")]'
    edit("Fleetfile, Service", "Fleetfile, Service, Window")
    edit("instances=3", same)
    assert main(["plan", *_SSH]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "web: unchanged"
    edit("04:30", "05:30")
    assert main(["plan", *_SSH]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "web: only its windows change"
    edit("restart_sec=5", "restart_sec=6")
    assert main(["plan", *_SSH]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("how long it takes; its windows change too")


@pytest.mark.usefixtures("deployed")
def test_mistakes_of_the_fleetfile_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    """As from `captain check`."""
    edit("instances=3", "instances=0")
    assert main(["plan", *_SSH]) == 2
    assert "instances: must be an integer from 1 to 100" in capsys.readouterr().err


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("by_option", [False, True])
def test_the_proxy_on_aws_is_unchanged(
    deployed: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by_option: bool
) -> None:
    """The balancer's times are in its unit, and in the plan of it: by the connection's kind, or by the option."""
    edit("restart_sec=5", 'restart_sec=5, ports=["8080:80"], public=80')
    app = adapted(load(Path()), ClusterKind.AWS)
    units = render_app(app, _STACK)
    for number in (1, 2, 3):
        deployed.launch(f"web@{number}.service", units["web"].with_image("web@sha256:1").text)
    deployed.launch("shop-proxy.service", units["shop-proxy"].with_image("proxy@sha256:1").text)
    connection = {"kind": "aws", "ssh": ["core@10.0.0.1"], "key": "/k", "known_hosts": "/h"}
    outputs = json.dumps({"app": "shop", "stack": _STACK, "connection": connection})
    monkeypatch.setattr("fleetcaptain.cli.target_cluster.site.__defaults__", (lambda _stack: outputs,))
    options = [*_SSH, "--cluster", "aws"] if by_option else []
    assert main(["plan", *options]) == 0
    assert capsys.readouterr().out == "web: unchanged\nqueue: unchanged\nshop-proxy: unchanged\n"
    assert main(["plan", *_SSH]) == 0
    assert f"-Leave={app.services[-1].leave_sec}" in capsys.readouterr().out
