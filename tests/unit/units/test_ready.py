"""The wait line, run for real by sh: it ends when the service is ready, and at once when its process is gone."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from fleetcaptain.fleetfile.values import Command, Http, Port, Tcp
from fleetcaptain.units.ready import wait_line
from tests.unit.units.machine import PretendedMachine
from tests.unit.units.specs import SPECS

SPEC = SPECS["app_server"]
# The etcd of the machine stands in for the service that is waited for.
PAGE = "/v2/keys/health"


def waited(machine: PretendedMachine, line: str | None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the line; there must be one."""
    assert line is not None
    return machine.run(line, **env)


def ready_at_the_third_look(machine: PretendedMachine, answer: str) -> None:
    """Let docker say *answer* only after it was asked twice in vain."""
    machine.stub(
        "docker", f'echo x >>"{machine.folder}/asked"; test $(wc -l <"{machine.folder}/asked") -gt 2 && {answer}'
    )


def gone() -> str:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return str(process.pid)


@pytest.mark.parametrize("ready", [Http(f"{PAGE}?deep=1&x=a'b%41"), Tcp(), Tcp(80)])
def test_a_published_port_is_polled_where_docker_put_it(machine: PretendedMachine, ready: Http | Tcp) -> None:
    """The port on the machine is docker's to tell, and only once the container runs."""
    machine.etcd.put("/health", "there")
    ready_at_the_third_look(machine, f'echo "0.0.0.0:{machine.etcd.port}" && echo "[::]:1"')
    result = waited(machine, wait_line(replace(SPEC, ports=(Port(80),), ready=ready), "behavioral"))
    assert result.returncode == 0, result.stderr
    assert (machine.folder / "asked").read_text().count("x") == 3
    if isinstance(ready, Http):
        assert machine.etcd.requests == [("GET", "/health", {"deep": "1", "x": "a'bA"})]


@pytest.mark.parametrize("ready", [Http("/"), Tcp(), Command("true"), None])
def test_it_fails_at_once_when_the_process_is_gone(machine: PretendedMachine, ready: Http | None) -> None:
    """systemd waits for this line, so it must not outlive the service; the journal gets a sentence."""
    machine.stub("docker", "exit 1")
    result = waited(machine, wait_line(replace(SPEC, ready=ready), "behavioral"), MAINPID=gone())
    assert result.returncode == 1
    assert result.stdout.endswith("the service ended before it was ready\n")
    assert result.stdout.startswith("waiting for ")


def test_an_answer_of_another_container_does_not_count(machine: PretendedMachine) -> None:
    """While docker does not publish the port for this container, whoever answers there is not asked."""
    machine.stub("docker", "exit 1")
    spec = replace(SPEC, ports=(Port(80, machine.etcd.port),), ready=Http("/"))
    assert waited(machine, wait_line(spec, "behavioral"), MAINPID=gone()).returncode == 1
    assert machine.etcd.requests == []


def test_an_error_status_is_not_ready(machine: PretendedMachine) -> None:
    """Only 2xx and 3xx are."""
    machine.etcd.put("/health", "there")
    machine.etcd.failures = 2
    machine.stub("docker", f"echo 0.0.0.0:{machine.etcd.port}")
    assert waited(machine, wait_line(replace(SPEC, ready=Http(PAGE)), "behavioral")).returncode == 0
    assert len(machine.etcd.requests) == 3


def test_a_refused_connection_is_not_ready(machine: PretendedMachine) -> None:
    """A port that nobody listens on yet fails the connection, and the wait goes on until the process is gone."""
    machine.stub("docker", "echo 0.0.0.0:1")
    assert waited(machine, wait_line(replace(SPEC, ready=Tcp()), "behavioral"), MAINPID=gone()).returncode == 1


def test_a_command_runs_inside_the_container(machine: PretendedMachine) -> None:
    """docker exec gets the user's line as one word for the container's shell."""
    machine.stub("docker", f'printf "%s|" "$@" >"{machine.folder}/seen"')
    line = "test \"$A\" = 'it'\\''s' && echo 100% \\\\"
    assert waited(machine, wait_line(replace(SPEC, ready=Command(line)), "behavioral")).returncode == 0
    assert (machine.folder / "seen").read_text() == f"exec|fc.behavioral.app_server.1|sh|-c|{line}|"


def test_without_ready_the_container_must_run(machine: PretendedMachine) -> None:
    """A registration of a container that is not there yet would send others to a closed door."""
    ready_at_the_third_look(machine, "echo true")
    assert waited(machine, wait_line(replace(SPEC, ready=None), "behavioral")).returncode == 0
    assert (machine.folder / "asked").read_text().count("x") == 3


def test_own_start_lines_are_waited_for_only_on_request(machine: PretendedMachine) -> None:
    """Without docker the port is the machine's own."""
    own = replace(SPEC, start=("/bin/x",), ports=(Port(machine.etcd.port),), ready=None)
    assert wait_line(own, "behavioral") is None
    machine.etcd.put("/health", "there")
    assert waited(machine, wait_line(replace(own, ready=Http(PAGE)), "behavioral")).returncode == 0


def test_a_machine_without_its_address_says_so(machine: PretendedMachine) -> None:
    """The journal names the variable and the file."""
    result = waited(machine, wait_line(SPEC, "behavioral"), COREOS_PRIVATE_IPV4="")
    assert result.returncode != 0
    assert "COREOS_PRIVATE_IPV4" in result.stderr
    assert "is not set in /etc/environment" in result.stderr
