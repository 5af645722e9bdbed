"""Public services behind the balancer: their times, and that a rollout with these loses no connection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.aws.balancer import health_check
from components.aws.topology import Public
from components.aws.workers import drain_sec
from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleetfile.values import Rolling, ServiceSpec
from fleetcaptain.release.balanced_app import INTERVAL_SEC, LEAVE_SEC, TIMES, balanced
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from tests.unit.aws.balancing_model import Checks, Rollout, lost_share
from tests.unit.fleetfile.written import app

NOW = Checks(INTERVAL_SEC, TIMES)
BEFORE = Checks(10, 2)
_PUBLIC = 'Service("web", ports=["8080:80"], public=80{}), Service("db")'


def public(folder: Path, more: str = "", **keywords: object) -> ServiceSpec:
    """A public service with *more* keywords, as it is on AWS; *keywords* are other values of it."""
    found = app(folder, _PUBLIC.format(more))
    changed = replace(found, services=(replace(found.services[0], **keywords), *found.services[1:]))  # type: ignore[arg-type]  # by name
    return balanced(changed).services[0]


def test_only_public_services_leave_a_balancer(tmp_path: Path) -> None:
    """Others are found by discovery."""
    found = app(tmp_path, _PUBLIC.format(""))
    web, db = balanced(found).services
    assert (web.leave_sec, db) == (LEAVE_SEC, found.services[1])
    assert LEAVE_SEC >= INTERVAL_SEC * TIMES


def test_the_unit_of_a_public_service_says_so(tmp_path: Path) -> None:
    """systemd waits for it, and so do the limits of the rollout and of a drain."""
    text = render(public(tmp_path), Mark("shop", "p/s", "web")).text
    assert f"\nLeave={LEAVE_SEC}\n" in text
    assert f"\nTimeoutStopSec={10 + 10 + LEAVE_SEC}\n" in text
    rollout = public(tmp_path).rollout
    assert rollout.min_healthy_sec == LEAVE_SEC
    assert rollout.healthy_deadline_sec == 310 + LEAVE_SEC
    assert rollout.progress_deadline_sec == 600
    before = app(tmp_path, _PUBLIC.format(", stop_sec=600"))
    assert drain_sec(balanced(before)) - drain_sec(before) == LEAVE_SEC


@pytest.mark.parametrize(("given", "wanted"), [(0, LEAVE_SEC), (LEAVE_SEC + 30, LEAVE_SEC + 30)])
def test_an_instance_stays_healthy_until_the_balancer_has_it(tmp_path: Path, given: int, wanted: int) -> None:
    """A longer time of the Fleetfile stays; its other limits still admit it."""
    rollout = public(tmp_path, rollout=Rolling(1, given, 20, given + 25)).rollout
    assert rollout.min_healthy_sec == wanted
    assert (rollout.progress_deadline_sec or 0) >= 20 + LEAVE_SEC + wanted


def test_the_balancer_checks_as_the_times_assume() -> None:
    """One owner for both."""
    check = health_check(Public("web", "http", 80, 8080))
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
    """The preview says so."""
    assert lost_share(Rollout(1, LEAVE_SEC, 12, LEAVE_SEC), NOW) > 0.2


@pytest.mark.parametrize(
    "service",
    [
        'Service("web", ports=["8080:80"], public=[80, 81])',
        'Service("web", ports=["8080:80"], public=HttpRoute(80, "shop.example.org"))',
        'Service("web", ports=["8080:80"], public=HttpRoute(80, path="/api"))',
        'Service("web", ports=["8080:80"], public=HttpRoute(443, tls="PEM"))',
        'Service("web", ports=["8080-8089:80"], public=80)',
        'Service("web", ports=[80], public=80)',
    ],
)
def test_a_balancer_sends_to_one_port_of_each_machine(tmp_path: Path, service: str) -> None:
    """It knows no more of a connection than its port."""
    with pytest.raises(FleetfileError, match="public services that cannot be deployed") as refused:
        balanced(app(tmp_path, service))
    assert "on AWS" in refused.value.problems[0]
    assert balanced(app(tmp_path, 'Service("web", ports=["8080:80"], public=TcpRoute(80))')).services
