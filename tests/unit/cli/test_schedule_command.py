"""``captain schedule``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import window_event_key, window_plan_key
from fleetcaptain.errors import ClusterUnreachable
from tests.fakes.fake_cluster import APP, FakeCluster
from tests.unit.schedule.example_schedule import EVENTS, NOW, WINDOWS, plan
from tests.unit.status.twenty_services import keep

SSH = ["--app", APP, "--ssh", "core@10.0.0.1"]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """The cluster that captain reaches, with the windows of two services."""
    cluster = FakeCluster(machines=["m1", "m2"])
    cluster.etcd.put(window_plan_key(APP, "web"), plan().to_text())
    cluster.etcd.put(window_plan_key(APP, "mail"), plan(base=1).to_text())
    for event in EVENTS:
        cluster.etcd.put(window_event_key(APP, "web", event.at), event.to_text())
    services = {"web": ServiceRelease("0" * 40, 4, windows=WINDOWS), "idle": ServiceRelease("0" * 40, 1)}
    keep(cluster, Release("v1", services))
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: cluster)
    monkeypatch.setattr("time.time", lambda: NOW + 0.7)
    return cluster


@pytest.mark.usefixtures("cluster")
def test_all_services_with_windows_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """By name; the zone of a window that the release does not have is not known."""
    assert main(["schedule", *SSH]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line and line[0] not in " !"] == [
        "mail: 1 -> 12 at 09:27 UTC; windows open 180 s before ready_by",
        "web: 4 -> 12 at 03:27 CST; windows open 180 s before ready_by",
    ]
    assert "! Thu 17:57 CST    4 -> 8    report: late: ready 35 s after 18:00 CST" in lines
    assert "                             opened 17:58:40, ready 18:00:35, by m1" in lines


@pytest.mark.usefixtures("cluster")
def test_one_service_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One line."""
    assert main(["schedule", "web", "--json", *SSH]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    (found,) = json.loads(line)
    assert (found["service"], len(found["next"]), len(found["last"])) == ("web", 2, 4)


@pytest.mark.usefixtures("cluster")
def test_the_page_of_the_schedule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file, which is named."""
    file = tmp_path / "windows.html"
    assert main(["schedule", "web", "--html", str(file), *SSH]) == 0
    assert capsys.readouterr() == ("", f"Wrote {file}.\n")
    assert "<h1>Windows of shop</h1>" in file.read_text()
    assert main(["schedule", "--html", str(tmp_path), *SSH]) == 1
    assert f"Could not write {tmp_path}: Is a directory. Choose another file" in capsys.readouterr().err


@pytest.mark.usefixtures("cluster")
def test_a_service_without_windows_exits_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    """And says which have some."""
    assert main(["schedule", "idle", *SSH]) == 3
    assert capsys.readouterr().err == (
        "captain: The service idle has no windows on the cluster. Services with windows: mail, web.\n"
    )


def test_an_app_without_windows_says_so(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error; an invalid plan is named."""
    cluster.etcd.remove(window_plan_key(APP, "mail"))
    cluster.etcd.put(window_plan_key(APP, "web"), "v2")
    assert main(["schedule", *SSH]) == 0
    assert capsys.readouterr() == (
        "",
        f"left out: {window_plan_key(APP, 'web')}: it is not a plan of windows of version 1\n"
        "No service of shop has windows. Give one scale=[Window(...)] in the Fleetfile.\n",
    )
    assert main(["schedule", "--json", *SSH]) == 0
    assert capsys.readouterr().out == "[]\n"
    assert main(["schedule", "web", *SSH]) == 3
    assert "No service of the app has windows." in capsys.readouterr().err


def test_a_fleet_that_does_not_answer_hides_only_addresses(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machines' ids are shown instead. Without a quorum fleet does not answer, and etcd does."""

    def silent() -> None:
        raise ClusterUnreachable("no answer")

    monkeypatch.setattr(cluster.fleet, "machines", silent)
    assert main(["schedule", "web", *SSH]) == 0
    assert "by m1" in capsys.readouterr().out
