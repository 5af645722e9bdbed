"""What the units say to the machine agent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import (
    Command,
    Expand,
    Http,
    HttpRoute,
    Port,
    PublicRoute,
    Ready,
    SecretFile,
    ServiceSpec,
    Tcp,
    TcpRoute,
)
from fleetcaptain.units.agent_calls import agent_line, agent_name, agent_settings, has_own_lines, variables_file
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from tests.unit.units.specs import MARK, SPECS
from tests.unit.units.systemd import command

SPEC = replace(SPECS["app_server"], ready=None)
OWN = replace(SPEC, start=("/bin/x",))


def said(spec: ServiceSpec, name: str) -> list[str]:
    """The values of one key."""
    return [value for key, value in agent_settings(spec) if key == name]


def test_a_call_names_the_unit_and_ends_as_a_command() -> None:
    """The words of the command stay words."""
    line = agent_line("shop", "stopping", "/usr/bin/docker", "stop", "a b%i")
    assert command(line, {"n": "web@1.service"}) == [
        *("/bin/sh", "/run/fleetcaptain/shop/agent", "stopping", "web@1.service", "/usr/bin/docker", "stop", "a b%i")
    ]
    assert (agent_name("shop"), variables_file("shop")) == ("shop-agent.service", "/run/fleetcaptain/shop/env/%n")


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        (replace(SPEC, ports=(Port(80, 8080), Port(53, protocol="udp"), Port(90, 1, 9))), ["80 53/udp 90"]),
        (
            replace(SPEC, ports=(Port(80), Port(53, 54, protocol="udp")), docker_args=("--net=host",)),
            ["80=80 53/udp=54"],
        ),
        (replace(OWN, ports=(Port(80, 8080), Port(53, protocol="udp"))), ["80=8080 53/udp=53"]),
        (replace(OWN, ports=(Port(80, address="10.0.0.5"), Port(81, address="0.0.0.0"))), ["80=10.0.0.5:80 81=81"]),
        (replace(OWN, ports=(Port(80, 1, address="::1"), Port(81, address="::"))), ["80=[::1]:1 81=81"]),
        (replace(SPEC, ports=()), []),
        (replace(SPEC, service=(("Type", "oneshot"),)), []),
    ],
)
def test_ports_are_known_or_dockers_to_say(spec: ServiceSpec, ports: list[str]) -> None:
    """docker knows those that it publishes, also the fixed ones; all others are the machine's."""
    assert said(spec, "Ports") == ports


@pytest.mark.parametrize(
    ("ready", "line"),
    [
        (Http(), "http 80 /"),
        (Http("/a?b", port=81, https=True), "https 81 /a?b"),
        (Tcp(), "tcp 80"),
        (Tcp(90), "tcp 90"),
        (Command("a  && b"), "command a  && b"),
        (None, "running"),
    ],
)
def test_a_check_is_one_line(ready: Ready | None, line: str) -> None:
    """Without a port it is the first one."""
    assert said(replace(SPEC, ready=ready), "Ready") == [line]


def test_a_host_and_headers_are_further_lines() -> None:
    """In their order."""
    spec = replace(SPEC, ready=Http(host="a.b", headers={"X-A": "1%", "X-B": Expand("%i $$")}))
    assert (said(spec, "ReadyHost"), said(spec, "ReadyHeader")) == (["a.b"], ["X-A: 1%%", "X-B: %i $$"])


def test_an_own_start_is_waited_for_only_on_request() -> None:
    """There is no container either. A task has ended when it is registered."""
    assert (said(OWN, "Container"), said(OWN, "Ready")) == (["no"], [])
    assert (said(SPEC, "Container"), said(SPEC, "Ready")) == ([], ["running"])
    assert said(replace(SPEC, service=(("Type", "oneshot"),)), "Ready") == []


@pytest.mark.parametrize("ready", [Http(), Tcp()])
def test_a_check_without_any_port_is_refused(ready: Ready) -> None:
    """With what to do. A port of udp is none."""
    for ports in ((), (Port(53, protocol="udp"),)):
        with pytest.raises(UnitRefused, match=r"ready= requires a port, but the service publishes none; add it"):
            list(agent_settings(replace(SPEC, ready=ready, ports=ports)))


def test_versions_are_json() -> None:
    """For a registration."""
    assert said(replace(SPEC, versions=("v1", 'a"b')), "Versions") == ['["v1","a\\"b"]']


@pytest.mark.parametrize("text", ["a\\", "a<{%b", "100% $5", "a " * 2000 + "b", "'\"", "x\\\\", "#", "a ;b #c"])
def test_every_text_reads_back(text: str) -> None:
    """fleet keeps it, with short lines, and systemd joins it with no other line."""
    rendered = render(replace(SPEC, ready=Command(text)), MARK).text
    assert max(map(len, rendered.splitlines())) < 2048
    assert "<{%" not in rendered
    (line,) = said(replace(SPEC, ready=Command(text)), "Ready")
    assert UnitFile.parse(rendered).text == rendered
    assert f"Ready={line.strip()}\n" in rendered.replace("\\\n", " ")


@pytest.mark.parametrize(
    "keyword", ["start", "before_start", "after_start", "before_stop", "stop", "after_stop", "reload"]
)
def test_a_line_of_the_fleetfile_is_an_own_one(keyword: str) -> None:
    """An empty list is none."""
    assert has_own_lines(replace(SPEC, **{keyword: ("/bin/x",)}))  # type: ignore[arg-type]
    assert not has_own_lines(replace(SPEC, **{keyword: ()}))  # type: ignore[arg-type]


def test_routes_say_by_number_which_file_has_their_certificate() -> None:
    """Always six words, in the order of the routes."""
    routes = (HttpRoute(443, "a.example.org", "/api", "B_PEM"), HttpRoute(443, tls="A_PEM"), HttpRoute(80), TcpRoute(9))
    files = tuple((f"/certs/{name}", SecretFile(name)) for name in ("A_PEM", "B_PEM"))
    spec = replace(SPEC, routes=tuple(PublicRoute("web", route) for route in routes), secret_files=files)
    assert said(spec, "Route") == [
        *("http 443 a.example.org /api web 2", "http 443 - / web 1", "http 80 - / web -", "tcp 9 - - web -")
    ]
    renamed = replace(SPEC, routes=tuple(PublicRoute("web", route, "site") for route in (HttpRoute(80), TcpRoute(9))))
    assert said(renamed, "Route") == ["http 80 - / web,site -", "tcp 9 - - web,site -"]
