"""What ``public=`` accepts, and the order of an app's routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.fleetfile.public_routes import public_routes
from fleetcaptain.fleetfile.values import HttpRoute, Route, TcpRoute
from tests.unit.fleetfile.written import app, mistakes, service

_PORT = 'ports=["8080:80"]'


@pytest.mark.parametrize(
    ("given", "routes"),
    [
        ("None", ()),
        ("[]", ()),
        ("80", (HttpRoute(80),)),
        ("TcpRoute(6379)", (TcpRoute(6379),)),
        (
            '[80, HttpRoute(443, "Shop.example.org", "/api/v1.0", tls="SHOP_PEM")]',
            (HttpRoute(80), HttpRoute(443, "shop.example.org", "/api/v1.0", "SHOP_PEM")),
        ),
    ],
)
def test_a_port_is_a_route_for_http(tmp_path: Path, given: str, routes: tuple[Route, ...]) -> None:
    """Of any name and path."""
    assert service(tmp_path, f"{_PORT}, public={given}").public == routes


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("0", "0 is not a port"),
        ("HttpRoute(True)", "True is not a port"),
        ("TcpRoute(None)", "a route must have a port"),
        ("HttpRoute(65536)", "65536 is not a port"),
        ('[80, "x"]', "must be a port such as 8080, HttpRoute(...)"),
        ("[80, HttpRoute(80)]", "HttpRoute(port=80, host=None, path='/', tls=None) is given twice; remove one"),
        *(
            (f"HttpRoute(80, host={host!r})", f"HttpRoute(host={host!r}): must be a full name such as")
            for host in ("a:80", "a b", "-a", "a..b", "*.a", "a\\", "a'", "#", "a" * 64)
        ),
        (f"HttpRoute(80, host='{'a.' * 127}')", "must be a full name such as"),
        ("HttpRoute(80, host='')", "must not be empty"),
        (r"HttpRoute(80, host='a\\b')", "must be a full name such as"),
        *(
            (f"HttpRoute(80, path={path!r})", f"HttpRoute(path={path!r}): must be")
            for path in ("api", "/api/", "//", "/a b", "/a?b", "/a%20b", "/#", "/a'b", '/a"b', "/a,b")
        ),
        (f"HttpRoute(80, path='/{'a' * 500}')", "must be"),
        *(
            (f"HttpRoute(443, tls={tls!r})", "public: HttpRoute(tls=...): must be the name of a secret, such as")
            for tls in ("-----BEGIN", "", True)
        ),
    ],
)
def test_a_route_contains_nothing_that_the_proxy_would_read_otherwise(tmp_path: Path, given: str, why: str) -> None:
    """Its words enter the configuration of the proxy."""
    (found,) = mistakes(tmp_path, f'Service("web", {_PORT}, public={given})')
    assert "public: " in found
    assert why in found


def test_the_narrowest_route_of_a_port_comes_first(tmp_path: Path) -> None:
    """A host before any host, a longer path before a shorter one."""
    services = (
        f'Service("web", {_PORT}, public=[HttpRoute(80), HttpRoute(80, "a.org"), TcpRoute(7)]),'
        'Service("api", ports=["8081:80"], public=[HttpRoute(80, path="/api"), HttpRoute(80, "a.org", "/api")])'
    )
    assert [(public.service, public.route) for public in public_routes(app(tmp_path, services))] == [
        ("web", TcpRoute(7)),
        ("api", HttpRoute(80, "a.org", "/api")),
        ("web", HttpRoute(80, "a.org")),
        ("api", HttpRoute(80, path="/api")),
        ("web", HttpRoute(80)),
    ]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("TcpRoute(80)", "TcpRoute(80)", "a TcpRoute must be the only route of its port; choose another port"),
        ("TcpRoute(80)", "80", "a TcpRoute must be the only route of its port; choose another port"),
        ("80", "HttpRoute(80)", "another route has the same host and path"),
        ("HttpRoute(80, 'a', tls='T')", "HttpRoute(80)", "its routes must all have tls=, or none"),
    ],
)
def test_routes_that_cannot_share_a_port(tmp_path: Path, first: str, second: str, why: str) -> None:
    """Each service that has one is named."""
    services = f'Service("a", {_PORT}, public={first}),Service("b", ports=["81:80"], public={second})'
    found = sorted(mistakes(tmp_path, services))
    assert len(found) == 2
    for name, what in zip("ab", found, strict=True):
        assert f"service {name!r}: public: port 80: {why}" in what


@pytest.mark.parametrize(
    ("ready", "route", "refused"),
    [
        ("Http(https=True)", "80", True),
        ("Http(https=True, port=80)", "HttpRoute(443, tls='T')", True),
        ("Http(https=True)", "TcpRoute(80)", False),
        ("Http(https=True, port=81)", "80", False),
        ("Http()", "80", False),
    ],
)
def test_the_proxy_sends_no_http_to_a_service_that_speaks_https(
    tmp_path: Path, ready: str, route: str, refused: bool
) -> None:
    """As its ready check says of the port that requests go to."""
    service = f'Service("a", ports=["8080:80", "8081:81"], public={route}, ready={ready})'
    if refused:
        (found,) = mistakes(tmp_path, service)
        assert "the proxy sends plain HTTP, and ready= says that the service speaks HTTPS; write TcpRoute(" in found
    else:
        assert app(tmp_path, service).services


def test_a_public_service_without_ports_is_one_mistake(tmp_path: Path) -> None:
    """Whatever its ready check says."""
    for ready in ("", ", ready=Http(https=True)"):
        found = mistakes(tmp_path, f'Service("a", public=80{ready})')
        assert any("public: " in one for one in found), found


def test_the_name_of_the_proxy_is_taken(tmp_path: Path) -> None:
    """By an app that has one."""
    named = 'Service("shop-proxy")'
    (found,) = mistakes(tmp_path, f'Service("a", {_PORT}, public=80), {named}')
    assert "the proxy of the app's public address has this name" in found
    assert app(tmp_path, named).services[0].name == "shop-proxy"


def test_no_task_has_the_name_of_what_is_added(tmp_path: Path) -> None:
    """Its unit, and its image, would be those of the other."""
    tasks = 'app="shop", image="acme/shop", tasks=[Task("shop-proxy", command="x"), Task("shop-agent", command="x")]'
    found = mistakes(tmp_path, f'Service("a", {_PORT}, public=80)', tasks)
    assert [one.split(": ")[1] for one in found] == ["task 'shop-proxy'", "task 'shop-agent'"]
    assert "the proxy of the app's public address has this name" in found[0]
    (agent,) = mistakes(tmp_path, f'Service("a", {_PORT})', tasks)
    assert "the app's machine agent has this name" in agent
