"""The service that is an app's proxy: what its unit says to the machine agent, and the image that ships with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fleetcaptain.fleetfile.build_context import BuildContext
from fleetcaptain.fleetfile.values import App, Build, HttpRoute, Port, Route, ServiceSpec, TcpRoute
from fleetcaptain.proxy.proxy_service import proxy_service
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render


def _app(*routes: Route) -> App:
    web = ServiceSpec("web", "web", "acme/web:1", ports=(Port(80),), public=routes)
    return App("shop", (web,), Path("shop"))


def _lines(app: App) -> list[str]:
    return render(proxy_service(app), Mark("shop", "shop/dev", "shop-proxy")).text.splitlines()


def test_the_unit_names_each_port_once_and_the_certificate_of_each_route_by_its_line() -> None:
    """The ports are the machine's own: the first is that of the registration."""
    app = _app(HttpRoute(443, "b.org", tls="second"), HttpRoute(443, tls="first"), HttpRoute(80), TcpRoute(25))
    kept = [line for line in _lines(app) if line.startswith(("Ports=", "SecretFile=", "Route="))]
    assert kept == [
        "Ports=25=25 80=80 443=443",
        "SecretFile=first 0400 0:0 /proxy/first.pem",
        "SecretFile=second 0400 0:0 /proxy/second.pem",
        "Route=tcp 25 - - web -",
        "Route=http 80 - / web -",
        "Route=http 443 b.org / web 2",
        "Route=http 443 - / web 1",
    ]


def test_its_main_process_is_the_agents_and_gets_the_image() -> None:
    """systemd replaces both words. The container is none of the unit's: its end must not end it."""
    lines = _lines(_app(HttpRoute(80)))
    assert "ExecStart=/bin/sh /run/fleetcaptain/shop/agent proxy %n ${IMAGE}" in lines
    assert {"Container=no", "KillMode=mixed"} <= {*lines}
    assert not any("docker run" in line or "docker stop" in line for line in lines)


def test_it_fails_when_what_made_it_ready_is_gone() -> None:
    """Of this run of the unit: the one before may have left its file."""
    lines = _lines(_app(HttpRoute(80)))
    check = "=command test -f /run/fleetcaptain/shop/proxy/ready-${INVOCATION_ID}"
    assert {f"Ready{check}", f"Alive{check}"} <= {*lines}


def test_another_app_or_service_is_no_other_text_unless_its_routes_are() -> None:
    """A deployment that changes no route rolls no proxy."""
    app = _app(HttpRoute(80))
    other = replace(app, services=(replace(app.services[0], image="acme/web:2", instances=7),))
    assert _lines(app) == _lines(other)
    assert _lines(app) != _lines(_app(HttpRoute(81)))


def test_the_folder_of_its_image_ships_with_the_package() -> None:
    """Wherever the package and the Fleetfile are."""
    image = proxy_service(_app(HttpRoute(80))).image
    assert isinstance(image, Build)
    assert image.only  # else the permission bits of an operator's umask are a part of it
    context = BuildContext.of(Path("/nowhere"), image)
    assert [path.name for path in context.files()] == ["Dockerfile"]
    assert "haproxy" in context.dockerfile.read_text()
