"""What a service becomes as unit text. The golden files are a contract: a change in one restarts users' services."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import Command, Expand, Http, Port, ServiceSpec
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refusals
from tests.fakes.unit_texts import canonical, with_image
from tests.unit.units.specs import MARK, SPECS, mark
from tests.unit.units.systemd import command, exec_values

GOLDEN = Path(__file__).parent / "golden"
APP_SERVER = SPECS["app_server"]
AGENT = "/bin/sh /run/fleetcaptain/behavioral/agent"


def check_golden(name: str, text: str) -> None:
    """Compare with the golden file; ``UPDATE_GOLDEN=1`` writes it instead."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", SPECS)
def test_a_service_has_exactly_this_text(name: str) -> None:
    """Every rendered line is as agreed."""
    check_golden(f"{name}.service", render(SPECS[name], mark(name)).text)


@pytest.mark.parametrize("name", SPECS)
def test_what_is_rendered_is_canonical_marked_and_not_refused(name: str) -> None:
    """fleet would store the text unchanged, it says whose it is, and nothing in it wedges fleet."""
    text = render(SPECS[name], mark(name)).text
    assert canonical(text) == text
    assert UnitFile.parse(text).mark == mark(name)
    assert refusals(f"{name}@1.service", UnitFile.parse(text)) == ()


def test_words_of_the_fleetfile_reach_the_container_as_written() -> None:
    """Quotes, blanks, dollars and percents of command, env and docker_args are not for systemd to read."""
    spec = replace(
        APP_SERVER,
        command=("sh", "-c", 'echo "$HOME" 100%; :', ";"),
        env=(("A", " x'\"\\\n%n${B} "),),
        docker_args=("--label", "a=b c"),
    )
    env = {"IMAGE": "img", "COREOS_PRIVATE_IPV4": "10.0.0.1"}
    words = command(
        exec_values(render(spec, MARK).text, "ExecStart")[0], {"p": "app_server", "i": "1", "n": "u", "m": "m"}, env
    )
    assert words[-7:] == ["--label", "a=b c", "img", "sh", "-c", 'echo "$HOME" 100%; :', ";"]
    assert "A= x'\"\\\n%n${B} " in words
    assert words[words.index("--env-file") + 1] == "/run/fleetcaptain/behavioral/env/u"


def test_what_is_expanded_is_the_machine_s_own() -> None:
    """In every keyword that the container gets, and in the description; the names around it stay letters."""
    spec = replace(
        APP_SERVER,
        description=Expand("Shop %i, 50%%"),
        command=("serve", Expand("--name=es-%i")),
        env=(("A%i", Expand("${COREOS_PRIVATE_IPV4}:%p")),),
        volumes=(Expand("/data/%i:/data"),),
        docker_args=("--hostname", Expand("es-%i")),
    )
    text = render(spec, MARK).text
    env = {"IMAGE": "img", "COREOS_PRIVATE_IPV4": "10.0.0.1"}
    words = command(exec_values(text, "ExecStart")[0], {"p": "app_server", "i": "1", "n": "u", "m": "m"}, env)
    assert words[-5:] == ["--hostname", "es-1", "img", "serve", "--name=es-1"]
    assert words[words.index("A%i=10.0.0.1:app_server") - 1] == "-e"
    assert words[words.index("/data/1:/data") - 1] == "-v"
    assert "Description=Shop %i, 50%%\n" in text


def test_a_long_word_is_continued_at_its_blanks() -> None:
    """So that fleet takes it, in options and custom commands too."""
    long = " ".join(["word"] * 1000)
    spec = replace(
        APP_SERVER,
        env=(("BIG", long),),
        command=("sh", "-c", long),
        ready=Command(long),
        after_start=(f"/bin/echo {long}",),
        service=(("Environment", long),),
    )
    text = with_image(render(spec, MARK).text, "img")
    assert refusals("app_server@1.service", UnitFile.parse(text)) == ()
    words = command(
        exec_values(text, "ExecStart")[0],
        {"p": "a", "i": "1", "n": "u", "m": "m"},
        {"IMAGE": "img", "COREOS_PRIVATE_IPV4": "x"},
    )
    assert words[-1] == long
    assert f"BIG={long}" in words
    assert command(exec_values(text, "ExecStartPost")[0]) == ["/bin/echo", *long.split()]
    assert UnitFile.parse(text).last("Ready") == "" or f"Ready=command {long}" in text.replace("\\\n", " ")


def test_a_custom_line_knows_the_service_too() -> None:
    """The agent's file is the last, so that no other one overrides a variable of it."""
    own = [("EnvironmentFile", "/etc/own")]
    text = render(replace(APP_SERVER, before_stop=("/bin/x ${FLEETCAPTAIN_KEY}",), service=tuple(own)), MARK).text
    files = exec_values(text, "EnvironmentFile")
    assert files == ["-/etc/environment", "/etc/own", "-/run/fleetcaptain/behavioral/env/%n"]
    assert exec_values(render(APP_SERVER, MARK).text, "EnvironmentFile") == ["-/etc/environment"]


def test_a_person_can_read_a_unit() -> None:
    """At most 30 lines, and none with an operator of a shell."""
    lines = with_image(render(APP_SERVER, MARK).text, "shop@sha256:1").splitlines()
    assert len([line for line in lines if line]) <= 30
    assert [line for line in lines if re.search(r"[|&;<>]|\$\(", line)] == []


def test_a_service_of_every_machine_is_bound_to_each_by_its_name() -> None:
    """One text for all machines: the instance's name says which one it is for."""
    assert "MachineID=%i" in render(SPECS["agent"], mark("agent")).text


def test_the_registration_is_taken_back_before_anything_stops() -> None:
    """An instance that is going away is not found any more, whatever lines the user has."""
    for spec in SPECS.values():
        text = render(spec, mark(spec.name)).text
        for option in ("ExecStop", "ExecStopPost"):
            assert exec_values(text, option)[0].startswith(f"-{AGENT} stopping %n")


def test_registering_is_the_last_line_of_the_start() -> None:
    """The user's lines and the wait come first."""
    for spec in SPECS.values():
        assert exec_values(render(spec, mark(spec.name)).text, "ExecStartPost")[-1] == f"{AGENT} started %n"


def test_the_agent_is_the_first_line_of_the_start() -> None:
    """It refuses another image, and removes a container that is left, before any line of the user."""
    for spec in SPECS.values():
        text = render(spec, mark(spec.name)).text
        assert exec_values(text, "ExecStartPre")[0] == f"{AGENT} starting %n"
        assert "Wants=behavioral-agent.service\n" in text
        assert re.search(r"^After=.*\bbehavioral-agent\.service$", text, re.MULTILINE)


def test_the_implicit_stop_is_one_command() -> None:
    """fleet removes the unit's file while it stops; systemd then runs no second line, and the container would stay."""
    stop = exec_values(render(APP_SERVER, MARK).text, "ExecStop")
    assert len(stop) == 1
    assert stop[0].endswith("stopping %n /usr/bin/docker stop -t 10 fc.behavioral.%p.%i")


def test_a_name_of_a_service_is_not_written_as_a_dependency() -> None:
    """systemd cannot order units of other machines; only names of units go into the text."""
    assert "redis" not in render(SPECS["options"], mark("options")).text
    assert "After=network-online.target\n" in render(SPECS["options"], mark("options")).text


def test_a_line_that_would_swallow_the_next_one_is_refused() -> None:
    """A verbatim line that ends in a backslash would continue into the option after it."""
    with pytest.raises(UnitRefused, match="would join the option after it"):
        render(replace(APP_SERVER, before_start=("/bin/echo \\",)), MARK)


def test_ready_without_any_port_is_refused() -> None:
    """There is nothing to ask."""
    with pytest.raises(UnitRefused, match="publishes none"):
        render(ServiceSpec("a", "a", "i", ready=Http("/")), MARK)


def test_text_without_a_mark_belongs_to_nobody() -> None:
    """Half a mark is none."""
    assert UnitFile.parse("[Service]\nExecStart=/bin/true\n").mark is None
    assert UnitFile.parse("[X-FleetCaptain]\nApp=a\nStack=s\n").mark is None


def test_one_long_line_is_reported_not_cut() -> None:
    """A value that fleet has no room for is refused with its size."""
    text = render(replace(APP_SERVER, env=(("BIG", "x" * 3000),)), MARK).text
    assert any(
        "3" in why and "bytes" in why for why in refusals("app_server@1.service", UnitFile.parse(with_image(text, "i")))
    )


@pytest.mark.parametrize(
    ("port", "words"),
    [
        (Port(80), "-p 80"),
        (Port(80, 8080), "-p 8080:80"),
        (Port(80, 8080, 8090), "-p 8080-8090:80"),
        (Port(53, 53, protocol="udp"), "-p 53:53/udp"),
        (Port(80, 80, address="127.0.0.1"), "-p 127.0.0.1:80:80"),
        (Port(80, address="127.0.0.1"), "-p 127.0.0.1::80"),
        (Port(80, 80, address="::1"), "-p '[::1]:80:80'"),
        (Port(80, protocol="sctp"), "-p 80/sctp"),
    ],
)
def test_a_port_is_written_as_docker_takes_it(port: Port, words: str) -> None:
    """docker run's own notation."""
    assert f"  {words} \\\n" in render(replace(APP_SERVER, ports=(port,), ready=None), MARK).text
