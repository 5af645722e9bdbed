"""Machines behind a bastion, a command or a member: time to connect, and one connection that commands share."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.port_forward import PortForward, connect
from fleetcaptain.fleet.ssh import Endpoint, command_argv, session_argv, ssh_error, tunnel_argv
from fleetcaptain.fleet.tunnel import Tunnel
from tests.waits import until

_HOSTS = ("core@i-1", "core@i-2")
_MACHINE = "core@10.71.0.50"
_DETOUR = Endpoint(_HOSTS, proxy="start-session %h", inside=True, managed=True)
# It writes its arguments to the file `arguments`, and ends when the file `end` exists.
_SSH = '#!/bin/sh\necho "$@" > "$0.part"\nmv "$0.part" "$0.arguments"\nwhile [ ! -e "$0.end" ]; do sleep 0.02; done\n'


class _Line(PortForward):
    """A connection to *host* that stands until it is closed."""

    def __init__(self, host: str) -> None:
        self.fleet_url, self.etcd_url, self.shared, self.is_open = f"http://{host}", f"etcd.{host}", f"/t/{host}", True

    @property
    def alive(self) -> bool:
        return self.is_open

    def close(self) -> None:
        self.is_open = False


@pytest.mark.parametrize(
    "reason",
    [
        "SessionManagerPlugin is not found. Please refer to SessionManager Documentation",
        "An error occurred (TargetNotConnected) when calling the StartSession operation: i-1 is not connected.",
        "ssh: connect to host gate port 22: Connection refused",
    ],
)
def test_the_reason_is_that_of_the_command_in_front(reason: str, tmp_path: Path) -> None:
    """Not that the connection through it is closed."""
    proxy = tmp_path / "proxy"
    proxy.write_text(f"#!/bin/sh\necho '{reason}' >&2\nexit 255\n")
    proxy.chmod(0o755)
    with pytest.raises(ClusterUnreachable) as raised:
        connect(Endpoint(_HOSTS, proxy=str(proxy), known_hosts=str(tmp_path / "known"), managed=True), _HOSTS[0])
    assert str(raised.value) == f"{_HOSTS[0]}: {reason}"
    assert ssh_error("Connection closed by 10.0.0.1 port 22\n") == "Connection closed by 10.0.0.1 port 22"


def timeout_of(argv: list[str]) -> str:
    """The seconds that ssh has for the connection: the first value counts."""
    return next(word.partition("=")[2] for word in argv if word.startswith("ConnectTimeout="))


def test_a_session_that_takes_six_seconds_to_start_is_no_dead_machine(tmp_path: Path) -> None:
    """ssh counts the time until the machine's greeting; this proxy ends right after it."""
    proxy = tmp_path / "proxy"
    proxy.write_text("#!/bin/sh\nsleep 6\nprintf 'SSH-2.0-machine\\r\\n'\n")
    proxy.chmod(0o755)
    with pytest.raises(ClusterUnreachable) as raised:
        connect(Endpoint(_HOSTS, proxy=str(proxy), known_hosts=str(tmp_path / "known"), managed=True), _HOSTS[0])
    assert "timed out" not in str(raised.value)
    assert "no answer" not in str(raised.value)


@pytest.mark.parametrize(
    ("endpoint", "host", "seconds"),
    [
        (Endpoint(_HOSTS), _HOSTS[0], "5"),
        (Endpoint(_HOSTS, inside=True), _HOSTS[0], "5"),
        (Endpoint(_HOSTS, inside=True), _MACHINE, "30"),
        (Endpoint(_HOSTS, jump="core@gate"), _HOSTS[0], "30"),
        (Endpoint(_HOSTS, proxy="start-session %h"), _HOSTS[0], "30"),
    ],
)
def test_only_a_detour_has_more_time(endpoint: Endpoint, host: str, seconds: str) -> None:
    """A dead machine that is reached directly is known after five seconds."""
    assert timeout_of(command_argv(endpoint, host, ["true"], _HOSTS[0])) == seconds
    assert timeout_of(session_argv(endpoint, host, via=_HOSTS[0])) == seconds
    if host in endpoint.hosts:
        assert timeout_of(tunnel_argv(endpoint, host, "/f", "/e", "/r")) == seconds


def test_commands_share_the_connection_as_far_as_it_leads() -> None:
    """To its machine, and to those behind it; another host needs a connection of its own."""
    tunnel = tunnel_argv(_DETOUR, _HOSTS[0], "/f", "/e", "/r", shared="/t/m")
    assert tunnel.index("ControlMaster=yes") < tunnel.index("ControlMaster=no")
    there = command_argv(_DETOUR, _HOSTS[0], ["true"], _HOSTS[0], "/t/m")
    assert there.index("ControlPath=/t/m") < there.index("ControlPath=none")
    behind = command_argv(_DETOUR, _MACHINE, ["true"], _HOSTS[0], "/t/m")
    assert "ControlPath=/t/m" not in behind
    assert any(word.startswith("ProxyCommand=") and "ControlPath=/t/m" in word for word in behind)
    assert "/t/m" not in " ".join(command_argv(_DETOUR, _HOSTS[1], ["true"], _HOSTS[0], "/t/m"))


def wait_for(path: Path) -> str:
    """The text of the file *path*, as soon as it exists."""
    until(path.exists, lambda: path)
    return path.read_text()


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stand-in for OpenSSH's client; see `_SSH`."""
    program = tmp_path / "ssh"
    program.write_text(_SSH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return program


def test_a_long_command_keeps_its_connection_when_the_tunnel_switches_machines(ssh: Path) -> None:
    """Its last user closes it; one without users is closed at the second switch."""
    lines: list[_Line] = []

    def opened(_endpoint: Endpoint, host: str) -> _Line:
        lines.append(_Line(host))
        return lines[-1]

    tunnel = Tunnel(_DETOUR, opened)
    tunnel.fleet_url()
    pull = threading.Thread(target=tunnel.run, args=(_MACHINE, ["docker", "pull"]))
    pull.start()
    assert f"ControlPath=/t/{_HOSTS[0]}" in wait_for(ssh.with_name("ssh.arguments"))
    for _ in range(3):
        tunnel.mark_unreachable(tunnel.fleet_url())
    assert [line.is_open for line in lines] == [True, False, True]
    ssh.with_name("ssh.end").touch()
    pull.join()
    assert [line.is_open for line in lines] == [False, False, True]


def test_a_process_of_the_caller_s_own_shares_the_connection_too() -> None:
    """As the journals of all machines do, which would be a session each."""
    tunnel = Tunnel(_DETOUR, lambda _endpoint, host: _Line(host))
    assert "ControlPath=/t/" not in " ".join(tunnel.command(_MACHINE, ["journalctl"]))
    tunnel.fleet_url()
    assert f"ControlPath=/t/{_HOSTS[0]}" in " ".join(tunnel.command(_MACHINE, ["journalctl"]))


@pytest.mark.parametrize("endpoint", [_DETOUR, Endpoint(_HOSTS)])
def test_a_command_does_without_a_connection_that_is_closed(endpoint: Endpoint, ssh: Path) -> None:
    """And a machine that is reached directly needs none."""
    line = _Line(_HOSTS[0])
    tunnel = Tunnel(endpoint, lambda _endpoint, _host: line)
    tunnel.fleet_url()
    line.is_open = bool(endpoint.proxy == "")
    ssh.with_name("ssh.end").touch()
    tunnel.run(_HOSTS[0], ["true"])
    assert line.shared not in wait_for(ssh.with_name("ssh.arguments"))
