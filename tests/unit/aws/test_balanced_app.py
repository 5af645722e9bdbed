"""Proxies behind the balancer: their times, and that a rollout with these loses no connection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.aws.balancer import health_check
from components.aws.workers import drain_sec
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile.values import App
from fleetcaptain.release.balanced_app import INTERVAL_SEC, LEAVE_SEC, TIMES, adapted
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from tests.unit.aws.balancing_model import Checks, Rollout, lost_share
from tests.unit.fleetfile.written import app

NOW = Checks(INTERVAL_SEC, TIMES)
BEFORE = Checks(10, 2)
_PUBLIC = 'Service("web", ports=["8080:80"], public=80), Service("db")'


def apps(folder: Path) -> tuple[App, App]:
    """An app with a public service as it is on AWS, and elsewhere."""
    found = app(folder, _PUBLIC)
    return adapted(found, ClusterKind.AWS), adapted(found, ClusterKind.LOCAL)


def test_only_the_proxy_leaves_a_balancer(tmp_path: Path) -> None:
    """Services leave the proxies, or are found by discovery."""
    on_aws, elsewhere = apps(tmp_path)
    assert on_aws.services[:-1] == elsewhere.services[:-1]
    assert (on_aws.services[-1].leave_sec, elsewhere.services[-1].leave_sec) == (LEAVE_SEC, 0)
    assert LEAVE_SEC >= INTERVAL_SEC * TIMES


def test_the_unit_of_the_proxy_says_so(tmp_path: Path) -> None:
    """systemd waits for it, and so do the limits of the rollout and of a drain."""
    on_aws, elsewhere = apps(tmp_path)
    text, other = (render(one.services[-1], Mark("shop", "p/s", "shop-proxy")) for one in (on_aws, elsewhere))
    assert f"\nLeave={LEAVE_SEC}\n" in text.text
    assert stop_sec(text) - stop_sec(other) == LEAVE_SEC
    rollout, before = on_aws.services[-1].rollout, elsewhere.services[-1].rollout
    assert rollout.min_healthy_sec == LEAVE_SEC
    assert (rollout.healthy_deadline_sec or 0) - (before.healthy_deadline_sec or 0) == LEAVE_SEC
    assert (rollout.progress_deadline_sec or 0) >= (rollout.healthy_deadline_sec or 0) + LEAVE_SEC


def test_a_drain_has_the_time_that_a_proxy_takes_to_leave(tmp_path: Path) -> None:
    """Where it takes longest."""
    on_aws, elsewhere = (replace(one, services=(replace(one.services[-1], stop_sec=600),)) for one in apps(tmp_path))
    assert drain_sec(on_aws) - drain_sec(elsewhere) == LEAVE_SEC


def stop_sec(file: UnitFile) -> int:
    """The seconds in which systemd stops it."""
    (value,) = (option.value for option in file.options if option.name == "TimeoutStopSec")
    return int(value)


def test_the_balancer_checks_as_the_times_assume() -> None:
    """One owner for both."""
    check = health_check("shop")
    assert (check["interval"], check["healthy_threshold"], check["unhealthy_threshold"]) == (INTERVAL_SEC, TIMES, TIMES)


@pytest.mark.parametrize("passive", [False, True])
@pytest.mark.parametrize("idle", [0, 1])
@pytest.mark.parametrize("closed", [5, 12, 25])
@pytest.mark.parametrize("instances", [2, 3])
def test_a_rollout_loses_no_connection(instances: int, closed: float, idle: int, passive: bool) -> None:
    """Of two and three instances, however long each is down, with machines that have none, and with passive checks."""
    rollout = Rollout(instances, LEAVE_SEC, closed, LEAVE_SEC, idle=idle)
    assert lost_share(rollout, replace(NOW, passive=passive)) == 0


@pytest.mark.parametrize("instances", [2, 3])
@pytest.mark.parametrize("closed", [5, 12, 25])
def test_each_of_the_times_is_needed(instances: int, closed: float) -> None:
    """The model loses connections where the service's own port is checked, or where an instance stops too soon."""
    right = Rollout(instances, LEAVE_SEC, closed, LEAVE_SEC)
    assert lost_share(replace(right, leave_sec=0, bake_sec=10, by_port=True), BEFORE) > 0.05
    assert lost_share(replace(right, by_port=True), NOW) > 0
    assert lost_share(replace(right, leave_sec=INTERVAL_SEC), NOW) > 0


def test_the_next_instance_leaves_only_when_the_last_is_back() -> None:
    """While a node believes in none of two, it also tries machines without an instance."""
    right = Rollout(2, LEAVE_SEC, 12, LEAVE_SEC, idle=1)
    assert lost_share(right, NOW) == 0
    assert lost_share(replace(right, bake_sec=0), NOW) > 0


def test_a_single_instance_is_down_while_it_is_replaced() -> None:
    """A proxy is not: its container goes on."""
    assert lost_share(Rollout(1, LEAVE_SEC, 12, LEAVE_SEC), NOW) > 0.2
