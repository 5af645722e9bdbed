"""Bad input and broken surroundings: one clear error each, nothing touched; after the repair the next ``up`` works."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack
from tests.faults.machine_faults import machines, run_on

_FIVE_MISTAKES = {
    "instances=4": "instances=0",
    '"8080-8089:80"': '"80800:80"',
    'Http("/health")': 'Http("health")',
    'command="python3 -m behavioral.worker QUEUE=important"': 'comand="python3 -m behavioral.worker"',
    'QUEUE=ongoing",\n            instances=2': 'QUEUE=ongoing",\n            requires=["redi"]',
}


@pytest.mark.parametrize("command", ["preview", "up"])
def test_five_mistakes_give_five_messages_and_touch_nothing(stack: Stack, command: str) -> None:
    """Every mistake of a Fleetfile is reported at once, with its place, before anything is done."""
    before = stack.unit_hashes()
    with stack.edited("Fleetfile.py", _FIVE_MISTAKES):
        result = stack.fails(command, *(["--yes"] if command == "up" else []))
    messages = [line for line in result.output.splitlines() if "Fleetfile.py:" in line]
    assert len(messages) == 5, result.output
    assert stack.unit_hashes() == before


def test_a_secret_is_refused_and_shown_nowhere(stack: Stack) -> None:
    """Neither in the preview's diff nor in the error; no unit and no key of the cluster gets it."""
    before, secret = stack.unit_hashes(), "hunter2S3"
    leaks = f"restart_sec=5, env={{'DB_URL': 'x://a:{secret}@b'}}, docker_args=['-e', 'DB_PASS={secret}'],"
    with stack.edited("Fleetfile.py", {"restart_sec=5,": leaks}):
        for argv in (("preview", "--diff"), ("up", "--yes")):
            result = stack.fails(*argv)
            assert "env: the password in a URL looks like a secret" in result.output
            assert "docker_args: DB_PASS looks like a secret" in result.output
            assert secret not in result.output
    assert stack.unit_hashes() == before


def test_a_dockerfile_that_does_not_build_says_which_step_failed(stack: Stack) -> None:
    """The step and what it said are in the error; the running app is not touched."""
    before = stack.unit_hashes()
    with stack.edited("Dockerfile", {"COPY behavioral/": "RUN echo 'no such luck' && exit 3\nCOPY behavioral/"}):
        error = stack.fails().error
    assert "no such luck" in error
    assert stack.unit_hashes() == before
    stack.up()


def test_a_build_that_prints_no_utf8_says_why_it_failed(stack: Stack) -> None:
    """The byte that is no text stands as something else, and hides nothing."""
    step = r"RUN printf 'caf\351 is missing\n' >&2; exit 3"
    with stack.edited("Dockerfile", {"COPY behavioral/": f"{step}\nCOPY behavioral/"}):
        assert "is missing" in stack.fails().error


@pytest.fixture
def blocked_registry(stack: Stack) -> Iterator[socket.socket]:
    """The registry is stopped, and its port taken by somebody else."""
    host, _, port = stack.registry.partition(":")
    stack.containers()["registry"].stop(timeout=5)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, int(port)))
        other.listen()
        yield other


def test_a_taken_registry_port_is_named(stack: Stack, blocked_registry: socket.socket) -> None:
    """A port that another program listens on is named, and what to do about it."""
    port = blocked_registry.getsockname()[1]
    error = stack.fails().error
    assert str(port) in error
    assert "in use" in error or "allocated" in error
    blocked_registry.close()
    stack.up()


def test_a_stopped_registry_is_started_again(stack: Stack) -> None:
    """A registry that is down is drift of the cluster: shown, and repaired."""
    stack.containers()["registry"].stop(timeout=5)
    assert "registry is exited" in stack.preview().output
    stack.up()
    assert stack.containers()["registry"].status == "running"


def test_a_cluster_that_does_not_answer_is_one_clear_error(stack: Stack) -> None:
    """Machines that let nobody in: one error says so and what to do, and nothing is lost."""
    present = machines(stack).values()
    for machine in present:
        machine.exec_run(["systemctl", "stop", "ssh.service"])
    try:
        result = stack.fails()
    finally:
        for machine in present:
            machine.exec_run(["systemctl", "start", "ssh.service"])
    assert result.error.count("Could not connect to any machine of the cluster") == 1, result.output
    stack.up()


def test_frozen_machines_are_thawed(stack: Stack) -> None:
    """Paused containers are drift of the cluster: shown, and repaired."""
    for machine in machines(stack).values():
        machine.pause()
    assert "m1 is paused" in stack.preview().output
    stack.up()
    assert {container.status for container in stack.containers().values()} == {"running"}


def test_an_image_without_the_command_fails_and_is_taken_back(stack: Stack) -> None:
    """The error names the unit, its machine and the container's own words, and not what is normal; the old version goes
    on, and the stack's outputs stay."""
    before, outputs = stack.unit_hashes(), stack.outputs()
    with stack.edited("Fleetfile.py", {"python3 -m behavioral.server": "/no/such/program"}):
        error = stack.fails().error
    assert "app_server@" in error
    assert "/no/such/program" in error
    for normal in ("No such container", "Starting app_server@", "- endpoints"):
        assert normal not in error
    assert stack.outputs() == outputs
    assert stack.unit_hashes() == before
    stack.up()


def test_a_taken_port_on_a_machine_is_said_in_dockers_words(stack: Stack) -> None:
    """A service whose fixed port somebody else holds on every machine fails; nothing else is touched."""
    before = stack.unit_hashes()
    for machine in machines(stack).values():
        run_on(machine, "systemd-run", "--unit=taken", "--socket-property=ListenStream=7777", "/bin/cat")
    try:
        with stack.edited("Fleetfile.py", {"ports=[6379]": 'ports=["7777:6379"]', "instances=True": "instances=1"}):
            error = stack.fails().error
        assert "7777" in error
    finally:
        for machine in machines(stack).values():
            machine.exec_run(["systemctl", "stop", "taken.socket", "taken.service"])
    assert stack.unit_hashes() == before
    stack.up()
