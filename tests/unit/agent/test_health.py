"""`agent health`, which a load balancer asks, and the time between a unit's unregistration and its stop."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import ADDRESS, SHELLS, UNIT, PretendedMachine
from tests.unit.units.specs import SPECS

pytestmark = pytest.mark.parametrize("machine", SHELLS, indirect=True)
SPEC = replace(SPECS["app_server"], start=("/bin/x",), ready=None, leave_sec=15)


def start(machine: PretendedMachine) -> None:
    """Start the unit, which is then registered."""
    machine.load(SPEC)
    assert machine.agent("starting", UNIT).returncode == 0
    done = machine.agent("started", UNIT)
    assert done.returncode == 0, done.stderr


def proxy(machine: PretendedMachine, more: str = "") -> tuple[Path, Path]:
    """The files of a proxy: its registration, with *more* in it, and the one that says that its container serves."""
    name = f"{machine.app}-proxy"
    registration, ready = machine.home / "services" / name / f"{name}@a.service", machine.home / "proxy" / "ready-1"
    for file in (registration, ready):
        file.parent.mkdir(parents=True, exist_ok=True)
    registration.write_text(f'{{"service":"{name}"{more}}}')
    ready.write_text("")
    return registration, ready


@contextmanager
def listening(machine: PretendedMachine) -> Iterator[int]:
    """A port whose connections lead to the agent, as socat makes them on machines."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                with near:
                    argv = [str(machine.folder / "bin" / "sh"), str(machine.home / "agent"), "health"]
                    path = f"{machine.folder / 'bin'}:{os.environ['PATH']}"
                    env = {"PATH": path, "COREOS_PRIVATE_IPV4": ADDRESS}
                    end = near.fileno()
                    subprocess.run(argv, stdin=end, stdout=end, env=env, check=False, timeout=60)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        # A thread in accept() does not notice that its socket is closed.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def asked(port: int, path: str) -> int:
    """The status of the answer to a real HTTP client, with headers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"User-Agent": "ELB-HealthChecker/2.0", "X-Empty": ""})
    answer = connection.getresponse()
    assert answer.read() == b""
    return answer.status


def test_a_machine_is_healthy_while_its_proxy_serves(machine: PretendedMachine) -> None:
    """Not before that is registered, and not while its container does not serve, whatever else runs here."""
    path = f"/{machine.app}-proxy"
    with listening(machine) as port:
        assert asked(port, path) == 503
        registration, ready = proxy(machine)
        assert asked(port, path) == 200
        assert [asked(port, other) for other in ("/app_server", "/", "/../services", f"{path}/x", "/*")] == [503] * 5
        ready.unlink()
        assert asked(port, path) == 503
        ready.write_text("")
        registration.unlink()
        assert asked(port, path) == 503


@pytest.mark.parametrize("mark", [',"draining":true,"failing":"why"', ',"draining":true,"maintenance":true'])
def test_one_whose_proxy_drains_is_not_healthy(machine: PretendedMachine, mark: str) -> None:
    """Its check fails, or it is under maintenance: lookups leave it out too."""
    proxy(machine, mark)
    with listening(machine) as port:
        assert asked(port, f"/{machine.app}-proxy") == 503


@pytest.fixture
def slept(machine: PretendedMachine, etcd: FakeEtcd) -> Path:
    """How long was slept, and what was registered then."""
    seen: Path = machine.folder / "slept"
    curl = f"curl -s {etcd.url}/v2/keys{machine.key()}"
    machine.stub("sleep", f"echo $1 $({curl} | cut -c 1-16) $(ls {machine.file().parent}) >>{seen}")
    return seen


def test_a_unit_goes_on_until_the_balancer_has_seen_that_it_leaves(machine: PretendedMachine, slept: Path) -> None:
    """Out of discovery first, then the pause, then the command."""
    start(machine)
    machine.stub("stop", f"echo stop >>{slept}")
    assert machine.agent("stopping", UNIT, "stop").returncode == 0
    assert slept.read_text() == '15 {"errorCode":100\nstop\n'
    assert machine.agent("stopping", UNIT, "stop").returncode == 0
    assert slept.read_text().endswith("\nstop\nstop\n")


def test_a_unit_that_has_ended_leaves_at_once(machine: PretendedMachine, slept: Path) -> None:
    """It serves no request any more, and systemd is about to restart it."""
    start(machine)
    assert machine.agent("stopping", UNIT, without="MAINPID").returncode == 0
    assert not slept.exists()


def test_without_a_balancer_no_unit_goes_on(machine: PretendedMachine, slept: Path) -> None:
    """Clients ask discovery before each connection."""
    machine.load(replace(SPEC, leave_sec=0))
    assert machine.agent("starting", UNIT).returncode == 0
    assert machine.agent("started", UNIT).returncode == 0
    assert machine.agent("stopping", UNIT).returncode == 0
    assert not slept.exists()


def run_loop(machine: PretendedMachine, port: str, state: str, answer: str = "") -> tuple[list[str], str]:
    """The calls of systemd-run, and of systemctl that change something, in a round of the loop, and what the loop
    says. The unit that answers is in a *state* of systemd's."""
    seen = machine.folder / "seen"
    seen.unlink(missing_ok=True)
    query = f'[ "$*" != "is-active -- {machine.app}-health.service" ] || {{ echo {state}; exit; }}'
    machine.stub("systemctl", f'{query}; [ $1 = is-active ] && echo inactive || echo "$*" >>{seen}')
    machine.stub("systemd-run", f'echo "$*" >>{seen}; {answer or "exit 0"}')
    agent = machine.home / "agent"
    text = agent.read_text()
    agent.write_text(f"HEALTH_PORT={port}\n{text}")
    done = machine.loop()
    agent.write_text(text)
    return seen.read_text().splitlines() if seen.exists() else [], done.stdout


@pytest.mark.usefixtures("etcd")
def test_the_balancer_is_answered_by_a_unit_of_its_own(machine: PretendedMachine) -> None:
    """Which a new version of the agent does not interrupt. It is started once, and only where there is a balancer."""
    (call,), _ = run_loop(machine, "2377", "inactive")
    assert f"--unit={machine.app}-health " in call
    assert call.endswith(
        f"socat -T 10 TCP4-LISTEN:2377,fork,reuseaddr,max-children=50 EXEC:/bin/sh {machine.home}/agent health"
    )
    assert run_loop(machine, "2377", "active")[0] == []
    assert run_loop(machine, "", "inactive")[0] == []


@pytest.mark.usefixtures("etcd")
@pytest.mark.parametrize("state", ["active", "inactive"])
def test_the_port_is_free_again_after_the_last_public_service(machine: PretendedMachine, state: str) -> None:
    """Nobody else ends the unit that answers there."""
    calls, _ = run_loop(machine, "", state)
    assert calls == ([f"stop {machine.app}-health.service"] if state == "active" else [])


@pytest.mark.usefixtures("etcd")
def test_a_port_that_cannot_be_answered_is_reported(machine: PretendedMachine) -> None:
    """With the reason of systemd and what to do, and the loop goes on."""
    _, output = run_loop(machine, "2377", "inactive", "echo Failed to find executable socat >&2; exit 1")
    assert "no answer at port 2377, so it sends nothing to this machine: Failed to find executable socat" in output
    assert f"Run `journalctl -u {machine.app}-health` here" in output
    assert "`ss -ltnp sport = :2377`" in output
