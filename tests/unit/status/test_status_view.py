"""The report on a screen of 80 columns."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.discovery.keys import pending_key, registration_key
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.rollout.cordon import cordon_files
from fleetcaptain.status.ages import age, minute
from fleetcaptain.status.report_json import as_json
from fleetcaptain.status.status_report import report_of
from fleetcaptain.status.status_view import lines_of
from fleetcaptain.styled import painted, plain
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, FakeCluster
from tests.unit.history.example_records import DONE
from tests.unit.status.twenty_services import keep, new_text, picture_of, release_of, roll, run_of_task, twenty

GOLDEN = Path(__file__).parent / "golden"


def shown(cluster: FakeCluster, width: int = 80) -> str:
    """The screen's text."""
    lines = [plain(line) for line in lines_of(report_of(picture_of(cluster)), width)]
    assert max(map(len, lines)) <= width
    return "".join(f"{line}\n" for line in lines)


def busy() -> FakeCluster:
    """The twenty services in a rollout, with a dead machine, a stray, a mix and a failing check."""
    cluster = twenty()
    new = UnitFile.parse(new_text("app_server"))
    for number in (1, 2, 4, 5):
        cluster.launch(f"app_server@{number}.service", new.text)
    keep(
        cluster,
        release_of(cluster, "v1.2", "2030-02-01T15:00:00+00:00", text={"app_server": new.unit_hash}),
        pending_key,
    )
    roll(cluster, "app_server", new.unit_hash)
    cluster.launch("worker_01@2.service", new_text("worker_01"))
    cluster.launch("old@1.service", new_text("old"))
    key = registration_key(APP, "api", "api@2.service")
    cluster.etcd.put(key, json.dumps({**cluster.etcd.value(key), "draining": True, "failing": "no answer\x1b[31m"}))
    cluster.etcd.remove("/fleetcaptain/shop/machines/10.0.0.3")
    return cluster


@pytest.mark.parametrize(("name", "make"), [("calm", twenty), ("busy", busy)])
def test_twenty_services_fit_on_one_screen(name: str, make: type[FakeCluster]) -> None:
    """As the golden file has it: at 80 columns, readable without colour."""
    golden, text = GOLDEN / f"{name}.txt", shown(make())
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("width", [40, 60, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """However narrow it is."""
    assert "app_server" in shown(busy(), width)


def test_a_low_screen_counts_what_has_nothing_to_say() -> None:
    """So that what is wrong is on it."""
    report = report_of(picture_of(busy()))
    lines = [plain(line) for line in lines_of(report, height=24)]
    assert len(lines) <= 24
    assert "17 services are ok" in lines
    assert "2 machines are up" in lines
    assert lines[-1] == "! old@1.service is a stray: no release declares it"
    assert lines_of(report, height=100) == lines_of(report)


def test_a_task_and_a_machine_in_maintenance_are_shown() -> None:
    """A low screen has both; JSON, too."""
    cluster = twenty()
    machine = Machine("10.0.0.2", "10.0.0.2")
    for name, file in cordon_files(cluster.ownership, machine, ()).items():
        cluster.launch(name, file.text)
    run_of_task(cluster)
    report = report_of(picture_of(cluster))
    for height in (0, 24):
        lines = [plain(line) for line in lines_of(report, height=height)]
        assert "task      migrate: running on 10.0.0.1, migrate-task@0badc0de.service" in lines
        assert [line.split()[:2] for line in lines if "maintenance" in line] == [["10.0.0.2", "maintenance"]]
    data = as_json(report)
    assert data["task_runs"] == [
        {"name": "migrate", "unit": "migrate-task@0badc0de.service", "address": "10.0.0.1", "state": "running"}
    ]
    assert [one["maintenance"] for one in data["machines"]] == [False, True, False]


def test_colours_add_nothing_but_colour() -> None:
    """Without its escapes the line is the same, and what others wrote brings none."""
    for line in lines_of(report_of(picture_of(busy()))):
        text = painted(line)
        for code in range(100):
            text = text.replace(f"\x1b[{code}m", "")
        assert text.rstrip() == plain(line)
    assert "\\x1b[31m" in shown(busy())


def test_programs_get_one_line_of_json() -> None:
    """With every field of docs/status.md."""
    data = json.loads(json.dumps(as_json(report_of(picture_of(busy())))))
    first = ["app", "stack", "at", "ok", "problems", "unanswered"]
    then = ["release", "services", "periodic_tasks", "task_runs", "strays", "machines", "etcd", "fleet"]
    assert list(data) == [*first, *then]
    assert (data["ok"], data["release"]["tag"], data["release"]["pending"]) == (False, "v1.1", "v1.2")
    assert data["release"]["can_go_back"] is True
    server = next(service for service in data["services"] if service["name"] == "app_server")
    assert server["rollout"] == {
        "who": "bob@ci",
        "since": "2030-02-01T15:02:00+00:00",
        "to": "v1.2",
        "done": 4,
        "of": 12,
        "interrupted": False,
        "expected_sec": 0,
    }
    assert server["last_deploy"]["state"] == "rolling"
    assert (server["state"], server["wanted"], server["versions"]) == ("rolling", 12, {"v1.1": 8, "v1.2": 4})
    assert server["instances"][0] == {
        "unit": "app_server@1.service",
        "address": "10.0.0.1",
        "zone": "z1",
        "version": "v1.2",
        "state": "active/running",
        "healthy": True,
        "failing": "",
        "trouble": "",
    }
    assert data["machines"][2]["state"] == "silent"
    assert data["etcd"]["members"][2] == {"name": "m3", "address": "10.0.0.3", "lost": True}


@pytest.mark.parametrize(
    ("seconds", "left"), [(200.0, ", about 1 min 15 s left, by bob@ci, 2m"), (125.0, " instances, by bob@ci, 2m")]
)
def test_a_rollout_shows_how_long_it_still_takes(seconds: float, left: str) -> None:
    """By its earlier ones, of which the last three count; nothing once that time is over."""
    cluster = busy()
    picture = picture_of(cluster)
    assert picture.keys is not None
    record = replace(DONE, service="app_server", seconds=seconds / 6)
    records = {"app_server": (replace(record, state="failed", seconds=9999), record)}
    picture = replace(picture, keys=replace(picture.keys, records=records))
    report = report_of(picture)
    (line,) = [plain(line) for line in lines_of(report, 120) if plain(line).startswith("rolling")]
    assert line.endswith(left)
    assert as_json(report)["services"][1]["rollout"]["expected_sec"] == pytest.approx(seconds)


@pytest.mark.parametrize("width", [1, 2, 20])
def test_a_very_narrow_terminal_shows_the_beginning_of_each_line(width: int) -> None:
    """A watch survives it."""
    assert shown(busy(), width)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2030-02-01T15:04:00Z", "5s"),
        ("2030-02-01T15:02:00+00:00", "2m"),
        ("2030-02-01T10:00:00", "5h"),
        ("2030-01-01T10:00:00Z", "31d"),
        ("2031-01-01T10:00:00Z", "0s"),
        ("yesterday", ""),
        ("0001-01-01T00:00:00+14:00", ""),
        ("9999-12-31T23:59:59-14:00", ""),
    ],
)
def test_ages_are_short(moment: str, expected: str) -> None:
    """In their largest unit; what is no time has none."""
    assert age(moment, "2030-02-01T15:04:05+00:00") == expected
    assert minute("yesterday") == "yesterday"
