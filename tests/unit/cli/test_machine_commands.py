"""``captain rebalance``, ``captain scale`` and ``captain maintenance`` on a pretended cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fleetcaptain.cli import main
from fleetcaptain.discovery.documents import ServiceRelease
from fleetcaptain.discovery.keys import lock_key, pending_key
from fleetcaptain.mode import Mode
from fleetcaptain.rollout import journal
from fleetcaptain.rollout.lock import this_process
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.service_policy import one_at_a_time
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of

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


def test_an_unknown_service_is_not_rebalanced(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is changed."""
    assert main(["rebalance", "nonsense", *SSH]) == 4
    assert "No such service" in capsys.readouterr().err
    assert cluster.history == []


def test_a_service_is_scaled(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to keep the number."""
    assert main(["scale", "web", "5", *SSH]) == 0
    assert capsys.readouterr().out.startswith("web: 4 -> 5 instances. To keep it, set instances=5 in the Fleetfile;")
    assert main(["scale", "web", "5", *SSH]) == 0
    assert capsys.readouterr().out == "web has 5 instances already.\n"
    assert main(["scale", "web", "2", "--json", *SSH]) == 0
    assert json.loads(capsys.readouterr().out) == {"service": "web", "before": 5, "after": 2}
    assert sorted(name for name in cluster.runs if name.startswith("web")) == ["web@1.service", "web@2.service"]


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
    assert "web was rolled out in this moment. Nothing of it was changed." in capsys.readouterr().err
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


@pytest.mark.parametrize("named", ["10.0.0.9", "10.0.0", "web"])
def test_an_unknown_machine_is_a_usage_error(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    """That lists the machines; a start of several ids names none."""
    assert main(["maintenance", "on", named, *SSH]) == 2
    assert M2 in capsys.readouterr().err
    assert cluster.history == []


def test_without_a_readable_record_the_policy_is_the_default_one() -> None:
    """So that a machine can be emptied whatever etcd has; and one instance at a time, whatever a rollout replaces."""
    rollout = {"max_parallel": "50%", "min_healthy_sec": 7, "healthy_deadline_sec": 8, "progress_deadline_sec": 9}
    recorded = ServiceRelease("abc", 4, "", Mode.ROLLING, rollout)
    assert one_at_a_time(recorded, 4) == Policy(1, True, 7, 8, 9)
    for record in (None, replace(recorded, rollout={"min_healthy_sec": "x"})):
        assert one_at_a_time(record, 4) == Policy()
