"""An app with the proxy of its public services."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile.values import HttpRoute, PublicRoute
from fleetcaptain.release.balanced_app import PROXY_LEAVE_SEC, adapted
from tests.unit.fleetfile.written import app

_WEB = 'Service("db"),\nService("web", ports=["8100-8109:80"], public={public})'


def test_only_an_app_with_public_services_has_a_proxy(tmp_path: Path) -> None:
    """Any other is as it was."""
    found = app(tmp_path, 'Service("web", ports=["8100-8109:80"])')
    assert all(adapted(found, kind) is found for kind in (None, *ClusterKind))


@pytest.mark.parametrize("kind", [None, *ClusterKind])
def test_the_proxy_is_a_service_of_every_machine(tmp_path: Path, kind: ClusterKind | None) -> None:
    """It is rolled after the services that it leads to, and stands where the first of them is declared."""
    found = app(tmp_path, _WEB.format(public=80))
    db, web, proxy = adapted(found, kind).services
    assert (proxy.name, proxy.global_unit, proxy.after) == ("shop-proxy", True, ("web",))
    assert proxy.routes == (PublicRoute("web", HttpRoute(80)),)
    assert proxy.location == web.location == "Fleetfile.py:4"
    assert (db, db.leave_sec) == (found.services[0], 0)


def test_the_proxy_knows_the_former_name_of_a_service(tmp_path: Path) -> None:
    """It leads to instances of both names."""
    found = app(tmp_path, 'Service("web", ports=[80], public=80, renamed_from="site")')
    assert adapted(found, None).services[-1].routes == (PublicRoute("web", HttpRoute(80), "site"),)


def test_a_public_service_goes_on_until_the_proxies_know(tmp_path: Path) -> None:
    """Its deadlines still admit that."""
    found = app(tmp_path, _WEB.format(public=80))
    before, after = found.services[1], adapted(found, None).services[1]
    assert after.leave_sec == PROXY_LEAVE_SEC
    assert after.rollout.min_healthy_sec == before.rollout.min_healthy_sec
    assert (after.rollout.healthy_deadline_sec or 0) - (before.rollout.healthy_deadline_sec or 0) == PROXY_LEAVE_SEC


@pytest.mark.parametrize(
    ("port", "more", "users"),
    [
        (8105, "", "web"),
        (9000, 'Service("b", ports=["9000:80"])', "b"),
        (9000, 'Service("b", ports=[9000], docker_args=["--net=host"])', "b"),
        (9000, 'Service("b", ports=["127.0.0.1:8999-9000:80"]),Service("c", ports=[9000], start="/bin/c")', "b, c"),
        (40000, 'Service("b", ports=[80]), Service("c", ports=["39000-40000:80"])', "c"),
    ],
)
def test_a_public_port_is_free_on_every_machine(tmp_path: Path, port: int, more: str, users: str) -> None:
    """Fixed ports, and those of a range."""
    with pytest.raises(FleetfileError) as refused:
        adapted(app(tmp_path, f"{_WEB.format(public=port)}, {more}"), None)
    (problem,) = refused.value.problems
    assert problem.startswith(
        f"Fleetfile.py:4: service 'web': public: port {port} of the machines is in ports= of {users}; choose another"
    )
    udp = f'{_WEB.format(public=port)}, Service("b", ports=["{port}:80/udp"])'
    if users != "web":
        assert adapted(app(tmp_path, udp), None).services


@pytest.mark.parametrize(("port", "refused"), [(32767, False), (32768, True), (60999, True), (61000, False)])
def test_a_public_port_is_none_that_docker_chooses(tmp_path: Path, port: int, refused: bool) -> None:
    """The message does not say that the port is in the service's ports."""
    found = app(tmp_path, f'{_WEB.format(public=port)}, Service("b", ports=[80]), Service("c", ports=[81, 82])')
    if not refused:
        assert adapted(found, None).services
        return
    with pytest.raises(FleetfileError) as error:
        adapted(found, None)
    assert error.value.problems == (
        f"Fleetfile.py:4: service 'web': public: port {port} is one of 32768 to 60999, of which docker chooses ports "
        "for b, c; choose a public port below 32768",
    )
