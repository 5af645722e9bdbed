"""``captain rebalance``, ``captain scale`` and ``captain maintenance`` on a pretended cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.documents import ServiceRelease
from fleetcaptain.discovery.keys import lock_key, maintenance_key, pending_key, window_plan_key
from fleetcaptain.discovery.maintenance import Maintenance
from fleetcaptain.fleetfile.values import ServiceSpec, TaskSpec
from fleetcaptain.mode import Mode
from fleetcaptain.rollout import journal
from fleetcaptain.rollout.lock import this_process
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.observe import observe
from fleetcaptain.rollout.service_policy import one_at_a_time
from fleetcaptain.schedule.window_plan import plan_of
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render_task import render_task, render_timer
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, STACK, FakeCluster, text_of
from tests.unit.schedule.windows import at, window

MARK = {"draining": True, "maintenance": True}
SSH = ["--app", "shop", "--ssh", "core@10.0.0.1"]
M1, M2, M3 = "10.0.0.1", "10.0.0.2", "10.0.0.3"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Two instances of web on the first machine, two on the second, and redis on the third."""
    cluster = FakeCluster()
    cluster.launch_service("web", 4)
    cluster.launch("redis-abcdef1@1.service", text_of("redis"))
    places = {"web@3.service": M1, "web@4.service": M2, "redis-abcdef1@1.service": M3}
    for name, machine in places.items():
        cluster.units[name] = replace(cluster.units[name], machine_id=machine)
        cluster._register(cluster.units[name])
    cluster.units["web@1.service"] = replace(cluster.units["web@1.service"], machine_id=M1)
    monkeypatch.setattr("fleetcaptain.rollout.connect.open_cluster", lambda *_: cluster)
    return cluster


def crowd(cluster: FakeCluster) -> None:
    """All instances of web are on the first machine."""
    for name in [name for name in cluster.units if name.startswith("web@")]:
        cluster.units[name] = replace(cluster.units[name], machine_id=M1)
        cluster._register(cluster.units[name])


def test_a_dry_run_of_a_rebalance_changes_nothing(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows from where to where; what stays is on standard error, with the reason."""
    crowd(cluster)
    assert main(["rebalance", "--dry-run", *SSH]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [f"web@1.service  {M1} -> {M2}", f"web@2.service  {M1} -> {M2}"]
    assert captured.err == "redis stays: it has one instance, which would be down meanwhile\n"
    assert cluster.history == []


def test_a_rebalance_says_what_it_did(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, and what it does meanwhile on standard error. The second time there is nothing to do."""
    crowd(cluster)
    assert main(["rebalance", "web", "--json", *SSH]) == 0
    captured = capsys.readouterr()
    moves = [{"unit": f"web@{number}.service", "from": M1, "to": M2} for number in (1, 2)]
    assert json.loads(captured.out) == moves
    assert f"moving web@1.service from {M1} to {M2}" in captured.err
    assert main(["rebalance", "web", *SSH]) == 0
    assert "Nothing to move" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["rebalance", "nonsense"], ["scale", "nonsense", "2"], ["restart", "nonsense"]])
def test_an_unknown_service_is_not_changed(
    cluster: FakeCluster, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit code is not that of a failed rollout."""
    assert main([*command, *SSH]) == 3
    err = capsys.readouterr().err
    assert "No such service" in err
    assert "Use one of its services: redis, web." in err
    assert cluster.history == []


@pytest.mark.parametrize("command", [["scale", "tick", "2"], ["restart", "tick"]])
def test_a_task_is_neither_scaled_nor_restarted(
    cluster: FakeCluster, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a mistake in the command line."""
    task = TaskSpec(ServiceSpec("tick", "", "shop", ("x",)), every="*-*-* *:00:00")
    mark = Mark(APP, STACK, "tick")
    cluster.launch("tick-task.service", render_task(task, mark).text)
    cluster.launch("tick-task.timer", render_timer(task, mark).text)
    assert main([*command, *SSH]) == 2
    assert "tick is a task and not a service" in capsys.readouterr().err
    assert cluster.history == []


def test_a_service_is_scaled(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to keep the number."""
    assert main(["scale", "web", "5", *SSH]) == 0
    assert capsys.readouterr().out.startswith("web: 4 -> 5 instances. To keep it, set instances=5 in the Fleetfile;")
    assert main(["scale", "web", "5", *SSH]) == 0
    assert capsys.readouterr().out == "web has 5 instances already.\n"
    assert main(["scale", "web", "2", "--json", *SSH]) == 0
    assert json.loads(capsys.readouterr().out) == {"service": "web", "before": 5, "after": 2, "running": 2}
    assert sorted(name for name in cluster.runs if name.startswith("web")) == ["web@1.service", "web@2.service"]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_service_with_windows_is_scaled_down_by_the_agents(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """It says how many still run when it ends."""
    plan = plan_of("web@%.service", 1, [window(at_least=4)], 180, at("2026-11-27T00:00:00"))
    cluster.etcd.put(window_plan_key(APP, "web"), plan.to_text())
    assert main(["scale", "web", "2", *options, *SSH]) == 0
    out = capsys.readouterr().out
    if options:
        assert json.loads(out) == {"service": "web", "before": 4, "after": 2, "running": 4}
    else:
        assert out.startswith("web: 4 -> 2 instances. 4 still run: the machine agents stop those that no window needs")
    assert len([name for name in cluster.runs if name.startswith("web")]) == 4


@pytest.mark.parametrize("number", ["0", "101", "many"])
def test_a_number_out_of_range_is_a_usage_error(cluster: FakeCluster, number: str) -> None:
    """As in a Fleetfile."""
    assert main(["scale", "web", number, *SSH]) == 2
    assert cluster.history == []


def test_a_blue_green_service_has_no_number(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """It says why."""
    assert main(["scale", "redis", "2", *SSH]) == 2
    assert "blue/green" in capsys.readouterr().err
    assert cluster.history == []


def test_a_service_that_is_rolled_out_is_left_alone(cluster: FakeCluster) -> None:
    """Its exit code says so."""
    crowd(cluster)
    cluster.etcd.put(lock_key("shop", "web"), replace(this_process(), token="another").to_json())  # noqa: S106
    for command in (["scale", "web", "5"], ["rebalance", "web"]):
        assert main([*command, *SSH]) == 6
    assert cluster.history == []


@pytest.mark.parametrize(
    ("command", "free_before"), [(["rebalance"], 0), (["maintenance", "on", M1], 0), (["restart", "web"], 1)]
)
def test_a_rollout_that_ended_meanwhile_is_not_undone(
    cluster: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    free_before: int,
) -> None:
    """The text of before is not brought back: the command waited for the lock of that rollout. *free_before*: how often
    it finds the lock free before."""
    crowd(cluster)
    acquired, locks = journal._acquired, list[str]()

    def after_a_rollout(locked: FakeCluster, service: str, *rest: Any) -> Any:
        newer = UnitFile.parse(text_of("web", description="newer"))
        locks.append(service)
        for name in [name for name in cluster.units if name.startswith(f"{service}@")]:
            if locks.count(service) > free_before:
                cluster.units[name] = replace(cluster.units[name], file=newer)
        cluster.now += 1
        return acquired(locked, service, *rest)

    monkeypatch.setattr(journal, "_acquired", after_a_rollout)
    assert main([*command, *SSH]) == 6
    assert "web changed in this moment, by a rollout or a window. Nothing of it was changed." in capsys.readouterr().err
    assert not [step for step in cluster.history if "web@" in step]


def test_a_machine_is_emptied_and_used_again(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Its only instances stay, unless an outage is allowed."""
    assert main(["maintenance", "on", M1, *SSH]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{M1} is in maintenance: web@1.service, web@3.service moved.",
        f"To use it again: captain maintenance off {M1}",
    ]
    assert main(["maintenance", "on", M3, "--json", *SSH]) == 0
    stays = json.loads(capsys.readouterr().out)["stays"]
    assert stays["redis-abcdef1@1.service"].startswith("it is the only instance of its service")
    assert main(["maintenance", "off", M1, *SSH]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"fleet uses {M1} again. `captain rebalance` moves instances there.\n"
    # A line for each change, not for each look.
    assert len(set(captured.err.splitlines())) == len(captured.err.splitlines()) > 0
    assert main(["maintenance", "off", M1, *SSH]) == 0
    assert capsys.readouterr().out == f"{M1} is not in maintenance.\n"
    assert {unit.desired for unit in cluster.units.values()} == {"launched"}


def test_the_history_has_each_operation_by_its_name(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Not by a release, also where the deployment of one is not complete."""
    cluster.etcd.put(pending_key("shop"), "v2")
    crowd(cluster)
    for command in (["rebalance", "web"], ["scale", "web", "3"], ["restart", "web"], ["maintenance", "on", M1]):
        assert main([*command, *SSH]) == 0
    assert main(["maintenance", "off", M1, *SSH]) == 0
    capsys.readouterr()
    assert main(["history", *SSH]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    what = {(row[2], row[3]) for row in rows}
    expected = {("web", word) for word in ("rebalance", "scale", "restart", "maintenance")}
    assert what == {*expected, ("maintenance.10.0.0.1", "maintenance")}


def test_a_machine_has_its_name_too(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for `captain ssh` and `captain run`."""
    machines = cluster.fleet.machines()
    named = tuple(replace(one, metadata={"name": f"m{one.ip[-1]}"}) for one in machines)
    monkeypatch.setattr(cluster.fleet, "machines", lambda: named)
    assert main(["maintenance", "off", "m1", *SSH]) == 0
    assert main(["maintenance", "off", "m9", *SSH]) == 2


def test_the_maintenance_of_a_machine_that_is_gone_ends(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its id; its units would stay."""
    assert main(["maintenance", "on", M1, *SSH]) == 0
    cluster._kill(M1)
    for name, unit in cluster.units.items():
        if unit.machine_id == M1:
            cluster.units[name] = replace(unit, machine_id=None, current="inactive")
    assert main(["maintenance", "off", M1, *SSH]) == 0
    assert f"fleet uses {M1} again" in capsys.readouterr().out
    assert not [name for name in cluster.units if "maintenance" in name]
    assert main(["maintenance", "off", M1, *SSH]) == 2


@pytest.mark.parametrize("named", ["10.0.0.9", "10.0.0", "nonsense", "migrate"])
def test_an_unknown_machine_is_a_usage_error(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    """That lists services and machines; a start of several ids names none, and a task is not in discovery."""
    cluster.launch("migrate.service", text_of("migrate").replace("[X-FleetCaptain]", "[X-FleetCaptain]\nTask=migrate"))
    for option in ([], ["--service"]):
        assert main(["maintenance", "on", named, *option, *SSH]) == 2
        error = capsys.readouterr().err
        assert "Services: redis, web. Machines: 10.0.0.1, 10.0.0.2, 10.0.0.3" in " ".join(error.split())
    assert cluster.history == []
    assert not [key for key in cluster.etcd.values if "/maintenance/" in key]


def with_agents(cluster: FakeCluster, services: tuple[str, ...] = ("web", "redis")) -> FakeCluster:
    """Machine agents apply the maintenance of *services* when time passes."""

    def sleep(seconds: float) -> None:
        cluster.now += seconds
        for key, value in list(cluster.etcd.values.items()):
            service = key.split("/")[4]
            if key.startswith("/fleetcaptain/shop/services/") and service in services:
                plain = {name: one for name, one in json.loads(value).items() if name not in MARK}
                is_out = maintenance_key("shop", service) in cluster.etcd.values
                cluster.etcd.put(key, json.dumps({**plain, **(MARK if is_out else {})}))

    cluster.sleep = sleep
    return cluster


def out_of_discovery(cluster: FakeCluster) -> list[str]:
    """The units that lookups leave out."""
    return sorted(entry.unit for entry in cluster.snapshot().registrations.values() if entry.draining)


def test_a_service_is_taken_out_of_discovery_and_back(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Its instances go on, and count for rollouts. Both may be repeated: who began it first is kept."""
    with_agents(cluster)
    units = [f"web@{number}.service" for number in range(1, 5)]
    assert main(["maintenance", "on", "web", *SSH]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        f"web is out of discovery. Its instances run: {', '.join(units)}.",
        "To bring it back: captain maintenance off web",
    ]
    assert "waiting for the machine agents: web@1.service on 10.0.0.1, " in captured.err
    assert out_of_discovery(cluster) == units
    snapshot = cluster.snapshot()
    assert all(observe(unit, snapshot).serving for unit in units)
    began = cluster.etcd.values[maintenance_key("shop", "web")]
    assert main(["maintenance", "on", "web", "--json", *SSH]) == 0
    assert json.loads(capsys.readouterr().out) == {"service": "web", "maintenance": True, "instances": units}
    assert cluster.etcd.values[maintenance_key("shop", "web")] == began
    main(["doctor", *SSH])
    (line,) = [one for one in capsys.readouterr().out.splitlines() if "web" in one]
    assert line == (
        f"web is out of discovery: maintenance {Maintenance.from_json(began)}. `captain maintenance off web` ends it."
    )
    assert main(["maintenance", "off", "web", *SSH]) == 0
    assert capsys.readouterr().out == f"web is in discovery again: {', '.join(units)}.\n"
    assert main(["maintenance", "off", "web", *SSH]) == 0
    assert capsys.readouterr().out == "web is not under maintenance.\n"
    assert (out_of_discovery(cluster), cluster.history) == ([], [])


def test_agents_that_do_not_follow_are_an_error(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """As those of an earlier version. It names what is still in discovery, and can be taken back."""
    with_agents(cluster, ())
    assert main(["maintenance", "on", "redis", *SSH]) == 9
    assert "did not change these registrations within 60 s: redis-abcdef1@1.service on 10.0.0.3" in (
        capsys.readouterr().err
    )
    assert main(["maintenance", "off", "redis", *SSH]) == 0
    assert "redis is in discovery again" in capsys.readouterr().out
    # Its check may hold again at any time; until then it is out of discovery for another reason.
    (key,) = (key for key in cluster.etcd.values if "/services/redis/" in key)
    failing = {**json.loads(cluster.etcd.values[key]), "draining": True, "failing": "x"}
    cluster.etcd.put(key, json.dumps(failing))
    assert main(["maintenance", "on", "redis", *SSH]) == 9


def test_a_name_of_both_is_refused_with_how_to_say_which(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine's id may begin as a service is called."""
    with_agents(cluster)
    cluster.machines = ["web0123", *cluster.machines[1:]]
    assert main(["maintenance", "on", "web", *SSH]) == 2
    assert "For the service add --service; name a machine by its address" in " ".join(capsys.readouterr().err.split())
    assert not [key for key in cluster.etcd.values if "/maintenance/" in key]
    assert main(["maintenance", "on", "web", "--service", "--with-outage", *SSH]) == 2
    assert main(["maintenance", "on", "web", "--service", *SSH]) == 0


def test_without_a_readable_record_the_policy_is_the_default_one() -> None:
    """So that a machine can be emptied whatever etcd has; and one instance at a time, whatever a rollout replaces."""
    rollout = {"max_parallel": "50%", "min_healthy_sec": 7, "healthy_deadline_sec": 8, "progress_deadline_sec": 9}
    recorded = ServiceRelease("abc", 4, "", Mode.ROLLING, rollout)
    assert one_at_a_time(recorded, 4) == Policy(1, True, 7, 8, 9)
    for record in (None, replace(recorded, rollout={"min_healthy_sec": "x"})):
        assert one_at_a_time(record, 4) == Policy()
