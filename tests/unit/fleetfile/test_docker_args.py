"""The words of docker_args, as docker run reads them; which of its options a unit cannot have; and host networks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.fleetfile.docker_args import RESERVED_DOCKER_OPTIONS, docker_options, refuse_reserved
from fleetcaptain.fleetfile.validation_error import ValidationError
from fleetcaptain.fleetfile.values import Port
from tests.unit.fleetfile.written import mistakes, service

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--net=host"], [("network", "host")]),
        (["--network", "host"], [("network", "host")]),
        (["-itd"], [("interactive", "true"), ("tty", "true"), ("detach", "true")]),
        (["-eA=-d"], [("env", "A=-d")]),
        (["-e=A"], [("env", "A")]),
        (["-t=false"], [("tty", "false")]),
        (["-te", "A=1"], [("tty", "true"), ("env", "A=1")]),
        (["--env", "-d"], [("env", "-d")]),
        (["--env", "--name=x"], [("env", "--name=x")]),
        (["-v/a:/b", "--rm"], [("volume", "/a:/b"), ("rm", "true")]),
        (["--label", "a=b c", "--privileged=false"], [("label", "a=b c"), ("privileged", "false")]),
        (
            ["--health-cmd", "curl -f http://localhost/ || exit 1"],
            [("health-cmd", "curl -f http://localhost/ || exit 1")],
        ),
        (["--new-in-docker-99=x"], [("new-in-docker-99", "x")]),
    ],
)
def test_words_are_read_as_docker_reads_them(words: list[str], meant: list[tuple[str, str]]) -> None:
    """Long and short, apart or in one word; a value is a value whatever it looks like."""
    assert list(docker_options(words)) == meant


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["redis"], "'redis' is not an option, so docker would take it for the image"),
        (["--privileged", "true"], "'true' is not an option"),
        (["--", "-d"], "'--' is not an option"),
        (["-"], "'-' is not an option"),
        (["--env"], "--env has no value, so docker would take the image for it"),
        (["-ite"], "-e has no value"),
        (["--volumes", "/a:/b"], '--volumes is not a known option of docker run; did you mean "volume"?'),
        (["-x"], "docker run has no option -x"),
    ],
)
def test_a_word_that_is_no_option_is_refused(words: list[str], says: str, tmp_path: Path) -> None:
    """docker would run another image."""
    (problem,) = mistakes(tmp_path, f'Service("web", docker_args={words!r})')
    assert f"docker_args: {says}" in problem or says in problem


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["--name", "redis"], "name"),
        (["--name=redis"], "name"),
        (["--restart=always"], "restart"),
        (["--restart", "unless-stopped"], "restart"),
        (["-d"], "detach"),
        (["--detach=true"], "detach"),
        (["-dP"], "detach"),
        (["-it"], "tty"),
        (["-ti"], "tty"),
        (["-t", "--interactive"], "tty"),
        (["--rm=false"], "rm"),
        (["--cidfile", "/run/x"], "cidfile"),
        (["-p", "80:80"], "publish"),
        (["-p80:80"], "publish"),
        (["--publish=80:80"], "publish"),
        (["-P"], "publish-all"),
        (["-e", "FLEETCAPTAIN_APP=x"], "env"),
        (["--env=FLEETCAPTAIN_KEY"], "env"),
        (["-l", "fleetcaptain.app=x"], "label"),
        (["--sig-proxy=false"], "sig-proxy"),
        (["--help"], "help"),
        (["--stop-timeout=5"], "stop-timeout"),
        (["-a", "stdin"], "attach"),
    ],
)
def test_an_option_that_breaks_the_unit_is_refused_by_name(words: list[str], option: str, tmp_path: Path) -> None:
    """With the keyword to use instead."""
    (problem,) = mistakes(tmp_path, f'Service("web", docker_args={words!r})')
    assert f"--{option}: {RESERVED_DOCKER_OPTIONS[option]}" in problem


@pytest.mark.parametrize(
    "words",
    [
        ["--restart=no", "--detach=false", "--rm", "--sig-proxy", "-P=false", "--help=false"],
        ["-t"],
        ["-i"],
        ["-it=false"],
        ["-e", "IMAGE", "-e", "MSG=it's", "--env-file", "/etc/shop.env"],
        ["--label", "name=x", "--user", "1000:1000", "--memory", "512m", "--cap-add=NET_ADMIN"],
        ["--entrypoint", "-d", "--hostname", "--name", "--log-driver=journald", "--stop-signal", "SIGQUIT"],
        ["-a", "stdout", "-a", "STDERR"],
        ["--network", "shop", "--network-alias", "web"],
        ["--mount", "type=bind,src=/a,dst=/b", "-v", "/c:/d", "--tmpfs", "/e", "--ulimit", "nofile=9"],
    ],
)
def test_an_option_that_a_unit_can_stand_is_taken(words: list[str], tmp_path: Path) -> None:
    """Also the value that looks like one that it cannot."""
    assert service(tmp_path, f"docker_args={words!r}").docker_args == tuple(words)


@given(st.lists(st.text(min_size=1, max_size=12) | st.sampled_from(["-d", "--env", "-e", "--net", "-it", "--", "x"])))
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    """Never another exception."""
    with suppress(ValidationError):
        refuse_reserved(words)


@pytest.mark.parametrize(
    "network", ["'--net=host'", "'--net', 'host'", "'--network=host'", "'--network', 'host'", "'--network=name=host'"]
)
def test_in_the_machines_network_a_port_is_the_machines(network: str, tmp_path: Path) -> None:
    """Whether it is written once or twice."""
    spec = service(tmp_path, f'docker_args=[{network}], ports=[80, "443:443", "53/udp"], ready=Http("/"), public=8000')
    assert spec.ports == (Port(80, 80), Port(443, 443), Port(53, 53, protocol="udp"))
    assert spec.host_network


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            "ports=['8080:80']",
            'docker publishes nothing, and the container\'s port is the machine\'s; write "80", or "8080"',
        ),
        ("ports=['8080-8089:80']", "ports: with the network host docker publishes nothing"),
        ("ports=['127.0.0.1:80:80']", "ports: with the network host docker publishes nothing"),
        ("ports=[80, '80:80']", "ports: a port of the machine is published twice"),
        ("ports=[80], instances=True", "cannot share a port of the machine; write rollout=Rolling()"),
    ],
)
def test_what_the_machines_network_cannot_do_is_refused(arguments: str, says: str, tmp_path: Path) -> None:
    """docker would drop it with a warning in the journal."""
    problems = mistakes(tmp_path, f'Service("web", docker_args=["--net=host"], {arguments})')
    assert [problem for problem in problems if says in problem], problems


@pytest.mark.parametrize("network", ["none", "container:redis"])
@pytest.mark.parametrize(("arguments", "keyword"), [("ports=[80]", "ports"), ("ready=Tcp(80)", "ready")])
def test_a_network_that_the_machine_does_not_reach_is_refused(
    network: str, arguments: str, keyword: str, tmp_path: Path
) -> None:
    """Nothing would ever be ready there."""
    (problem,) = mistakes(tmp_path, f'Service("web", docker_args=["--network={network}"], {arguments})')
    assert f"{keyword}: " in problem
    assert network in problem
    service(tmp_path, f'docker_args=["--network={network}"], ready=Command("true")')


def test_a_port_to_wait_for_must_be_reachable(tmp_path: Path) -> None:
    """Published, or the machine's own."""
    (problem,) = mistakes(tmp_path, 'Service("web", ports=[80], ready=Tcp(81))')
    assert "ready: the container's port 81 is not in ports=, so the machine cannot reach it; add it there" in problem
    service(tmp_path, 'ports=[80], ready=Tcp(81), docker_args=["--net=host"]')
    service(tmp_path, 'ports=[80], ready=Tcp(81), start="/bin/serve"')


def test_the_docs_name_every_reserved_option() -> None:
    """With the keyword to use instead."""
    text = (ROOT / "docs" / "fleetfile.md").read_text()
    assert [name for name in RESERVED_DOCKER_OPTIONS if f"`--{name}" not in text] == []
