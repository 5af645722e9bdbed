"""The wait for a cluster on AWS, until etcd takes a write and every machine is in fleet."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.aws import readiness
from components.aws.readiness import ReadyProvider
from components.aws.refresh_guard import WindowGuard
from components.engine.dynamic_resource import PartialFailure
from fleetcaptain.errors import ClusterRefused, DeadlineExceeded, FleetCaptainError
from fleetcaptain.schedule.window import WindowSpec
from tests.fakes.fake_site import MACHINES, Site
from tests.unit.components.deployed import CONNECTION, STACK

PROVIDER = ReadyProvider()


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Any]:
    """The inputs of a cluster of three members, with the host keys of machines that were there before."""
    known_hosts = tmp_path / ".fleetcaptain" / "known_hosts"
    known_hosts.parent.mkdir()
    known_hosts.write_text("an old key")
    return {
        "connection": {**CONNECTION, "kind": "aws", "known_hosts": str(known_hosts)},
        "size": 3.0,
        "members": {machine.id: machine.ip for machine in MACHINES},
        "instances": {machine.id: f"i-{machine.id}" for machine in MACHINES},
        "timeout_sec": -1.0,
        "open_dirs": ["/config"],
        "secured": True,
    }


def keys_of(inputs: dict[str, Any]) -> Path:
    """The file with the machines' host keys."""
    return Path(inputs["connection"]["known_hosts"])


def test_a_cluster_is_ready_when_all_its_machines_are_there(site: Site, inputs: dict[str, Any]) -> None:
    """etcd took a write, which lives for a minute. New machines have new host keys."""
    found = PROVIDER.create(inputs)
    assert (found.id, found.outs) == (STACK, inputs)
    assert site.etcd.values["/fleetcaptain-ready"] == STACK
    assert site.etcd.entries["/fleetcaptain-ready"].ttl == 60
    assert not keys_of(inputs).exists()


def test_a_cluster_that_is_ready_is_secured(site: Site, inputs: dict[str, Any]) -> None:
    """Containers write registrations, and what the settings leave open."""
    PROVIDER.create(inputs)
    assert site.etcd.access.enabled
    assert site.etcd.access.roles["guest"]["write"] == ["/config/*"]


def test_machines_of_an_earlier_version_are_not_locked_out(
    site: Site, inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their fleetd cannot say who it is. Each `up` tries again."""
    site.fleetd = "FLEET_ETCD_SERVERS=http://127.0.0.1:2379"
    warnings: list[str] = []
    monkeypatch.setattr(readiness, "warn", warnings.append)
    made = PROVIDER.create(inputs).outs
    assert "the machines 10.0.0.1, 10.0.0.2, 10.0.0.3 have no certificate" in warnings[0]
    assert not site.etcd.access.enabled
    assert made == {**inputs, "secured": False}
    assert PROVIDER.read(STACK, made).inputs == made
    site.fleetd = Site().fleetd
    assert PROVIDER.update(STACK, made, inputs).outs == inputs
    assert site.etcd.access.enabled
    # Once it is on, a machine that does not answer keeps no setting from etcd.
    site.fleetd = ""
    assert PROVIDER.update(STACK, inputs, {**inputs, "open_dirs": []}).outs == {**inputs, "open_dirs": []}
    assert site.etcd.access.roles["guest"]["write"] == []
    assert len(warnings) == 1


def test_a_cluster_that_is_not_ready_in_time_is_waited_for_again(site: Site, inputs: dict[str, Any]) -> None:
    """It stays in the state with no machines, which the next `pulumi up` changes. The error names who is missing."""
    site.fleet.machines = site.fleet.machines[:2]
    with pytest.raises(PartialFailure, match=r"missing members: m3\n  m3 is i-m3 at 10\.0\.0\.3") as failure:
        PROVIDER.create(inputs)
    assert failure.value.outs == {**inputs, "size": 0}
    with pytest.raises(DeadlineExceeded):
        PROVIDER.update(STACK, inputs, inputs)


def test_an_etcd_without_a_quorum_is_not_ready(site: Site, inputs: dict[str, Any]) -> None:
    """Though fleet still lists every machine."""
    site.etcd.failures = 1
    with pytest.raises(PartialFailure, match="etcd did not write /fleetcaptain-ready"):
        PROVIDER.create(inputs)


class AutoScaling:
    """Auto Scaling with one worker of *version*, whose newest refresh has one of *states* after the other."""

    def __init__(self, *states: str, version: str = "8") -> None:
        self.states, self.version = list(states), version
        self.requests: list[str] = []

    def describe_instance_refreshes(self, **arguments: Any) -> dict[str, Any]:
        """The newest refresh."""
        assert arguments["AutoScalingGroupName"] == "g"
        self.requests.append("refresh")
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "refused":
            raise FleetCaptainError("Could not ask: AccessDenied")
        return {"InstanceRefreshes": [{"InstanceRefreshId": "r-1", "AutoScalingGroupName": "g", "Status": state}]}

    def describe_auto_scaling_groups(self, **_arguments: Any) -> dict[str, Any]:
        """The worker."""
        worker = {"InstanceId": "i-1", "LifecycleState": "InService", "LaunchTemplate": {"Version": self.version}}
        return {"AutoScalingGroups": [{"Instances": [worker]}]}

    def start_instance_refresh(self, **_arguments: Any) -> dict[str, Any]:
        """Another refresh."""
        self.requests.append("start")
        return {"InstanceRefreshId": "r-2"}


WORKERS = {"group": "g", "version": "8", "timeout_sec": 60.0}
BEFORE = {**WORKERS, "version": "7"}
NIGHTLY = WindowSpec("nightly", 4, 0, 60, tuple(range(7)), (), "UTC")


def roll_workers(
    monkeypatch: pytest.MonkeyPatch,
    inputs: dict[str, Any],
    scaling: AutoScaling,
    before: dict[str, Any] | None = BEFORE,
    **more: Any,
) -> list[str]:
    """The requests while the workers get version 8, and had *before*."""
    monkeypatch.setattr(readiness, "aws_client", lambda service, _connection: {"autoscaling": scaling}[service])
    olds = {**inputs, "workers": before} if before else inputs
    news = {**inputs, "workers": {**WORKERS, **more}}
    assert PROVIDER.update(STACK, olds, news).outs == news
    return scaling.requests


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("before", [None, BEFORE])
def test_units_wait_until_the_workers_are_replaced(
    inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch, before: dict[str, Any] | None
) -> None:
    """Two disruptions at once are more than each was planned for."""
    assert set(roll_workers(monkeypatch, inputs, AutoScaling("Successful"), before)) == {"refresh"}
    with pytest.raises(ClusterRefused, match="ended as Failed"):
        roll_workers(monkeypatch, inputs, AutoScaling("InProgress", "InProgress", "Failed"), before)


@pytest.mark.usefixtures("site")
def test_the_next_update_replaces_what_a_failed_refresh_left(
    inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state still has the old version. Nothing else would start a refresh."""
    scaling = AutoScaling("Failed", "Failed", "Successful", version="7")
    assert roll_workers(monkeypatch, inputs, scaling) == ["refresh", "refresh", "start", "refresh"]


@pytest.mark.usefixtures("site")
def test_it_replaces_none_in_a_window(inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard of the launch template sees no change then. The window is from 0:00 to 1:00."""
    guard = json.loads(json.dumps(WindowGuard((NIGHTLY,), 0, 1200).to_data()), parse_int=float)
    half_past = datetime(2026, 7, 1, 0, 30, tzinfo=UTC)
    monkeypatch.setattr(time, "time", half_past.timestamp)
    scaling = AutoScaling("Failed", "Failed", "Successful", version="7")
    with pytest.raises(ClusterRefused, match="possible from 2026-07-01 01:00 UTC on"):
        roll_workers(monkeypatch, inputs, scaling, guard=guard)
    assert "start" not in scaling.requests
    monkeypatch.setattr(time, "time", (half_past + timedelta(hours=1)).timestamp)
    assert "start" in roll_workers(monkeypatch, inputs, scaling, guard=guard)


@pytest.mark.usefixtures("site")
def test_workers_of_the_same_version_are_not_asked_for(inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Another number of workers replaces none."""
    assert roll_workers(monkeypatch, inputs, AutoScaling("Failed"), {**WORKERS, "timeout_sec": 30.0}) == []


@pytest.mark.usefixtures("site")
def test_without_the_right_to_ask_units_do_not_wait(inputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """But a warning says so."""
    warnings: list[str] = []
    monkeypatch.setattr(readiness, "warn", warnings.append)
    roll_workers(monkeypatch, inputs, AutoScaling("refused"))
    assert warnings == ["The app is deployed without waiting for the workers' replacement. Could not ask: AccessDenied"]


@pytest.mark.parametrize(("replaced", "kept"), [({}, True), ({"m2": "i-new"}, False)])
def test_host_keys_are_forgotten_when_a_machine_is_replaced(
    site: Site, inputs: dict[str, Any], replaced: dict[str, str], kept: bool
) -> None:
    """An address may come back with another key; without a new machine a changed key is an alarm."""
    news = {**inputs, "instances": {**inputs["instances"], **replaced}}
    assert PROVIDER.update(STACK, inputs, news).outs == news
    assert keys_of(inputs).exists() == kept
    assert "/fleetcaptain-ready" in site.etcd.values
