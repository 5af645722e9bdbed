"""The public address in the text of a proxy's unit."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.fleetfile.values import HttpRoute, PublicRoute, SecretFile, TcpRoute
from fleetcaptain.units.mark import SECTION
from fleetcaptain.units.public_address import public_urls, routes_of
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from tests.unit.units.specs import MARK, SPECS

ROUTES = (
    PublicRoute("api", HttpRoute(443, "shop.example.org", "/api", "SHOP_PEM")),
    PublicRoute("web", HttpRoute(443, tls="OTHER_PEM")),
    PublicRoute("web", HttpRoute(8080, "shop.example.org")),
    PublicRoute("redis", TcpRoute(6379), "store"),
)


def test_the_unit_of_a_proxy_says_its_routes() -> None:
    """All that the Fleetfile says of them; other units say none."""
    files = (("/a", SecretFile("OTHER_PEM")), ("/b", SecretFile("SHOP_PEM")))
    spec = replace(SPECS["app_server"], routes=ROUTES, secret_files=files)
    assert routes_of(render(spec, MARK)) == ROUTES
    assert routes_of(render(SPECS["app_server"], MARK)) == ()


def test_what_is_no_route_is_left_out() -> None:
    """Anyone who reaches fleet can write a unit."""
    lines = [
        "http 80 - /",
        "http x - / web -",
        "http 80 - / web 1",
        "http 80 a;b / web -",
        "http 80 - /\x1b[31m web -",
        "tcp 0 - - web -",
        "tcp 9 - - web -",
    ]
    text = f"[{SECTION}]\n" + "".join(f"Route={line}\n" for line in lines)
    assert routes_of(UnitFile.parse(text)) == (PublicRoute("web", TcpRoute(9)),)


def test_the_urls_are_those_of_every_machine() -> None:
    """Or the name that a request must have, without a port that every client knows."""
    assert public_urls(ROUTES, ["10.0.0.1", "fd00::2"]) == {
        "api": ["https://shop.example.org/api"],
        "web": ["https://10.0.0.1:443", "https://[fd00::2]:443", "http://shop.example.org:8080"],
        "redis": ["tcp://10.0.0.1:6379", "tcp://[fd00::2]:6379"],
    }
