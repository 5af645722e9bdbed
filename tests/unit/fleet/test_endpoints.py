"""The ways into a cluster: addresses, ssh's command lines with a bastion, fleet's own socket."""

from __future__ import annotations

import json
import shlex
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.address import Address
from fleetcaptain.fleet.connection import Connection
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.local_endpoint import LocalEndpoint
from fleetcaptain.fleet.ssh import Endpoint, command_argv
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.rollout.connect import open_cluster
from tests.programs import program


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("10.0.0.1", "core@10.0.0.1"),
        ("ann@fleet.example.org", "ann@fleet.example.org"),
        ("ssh://core@10.0.0.1", "core@10.0.0.1"),
        ("ssh://core@10.0.0.1/", "core@10.0.0.1"),
        ("ssh://core@10.0.0.1:2222", "ssh://core@10.0.0.1:2222"),
        ("core@10.0.0.1:2222", "ssh://core@10.0.0.1:2222"),
    ],
)
def test_an_address_is_written_as_ssh_takes_it(text: str, written: str) -> None:
    """With a port it has to be a URL."""
    assert Address.of(text).written == written


@pytest.mark.parametrize("text", ["", "ssh://", "core@", "-oProxyCommand=x", "a b", "a:0", "a:70000", "a;b", "a@b@c"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A word that ssh or a shell would take for something else too."""
    with pytest.raises(ValueError, match="must have the form"):
        Address.of(text)


def test_other_machines_are_reached_by_the_user_and_port_of_the_first_host() -> None:
    """fleet tells addresses only."""
    assert Endpoint(("ssh://ann@gate:2222",)).to("10.0.0.7") == "ssh://ann@10.0.0.7:2222"
    assert Endpoint(("core@gate",)).to("10.0.0.7") == "core@10.0.0.7"


def proxy_of(endpoint: Endpoint) -> str:
    """The command through which OpenSSH itself would go to 10.0.0.1, with its tokens replaced."""
    argv = command_argv(endpoint, "core@10.0.0.1", ["true"])
    printed = subprocess.run([program("ssh"), "-G", *argv[1:-1]], capture_output=True, text=True, check=True).stdout
    command = next(line for line in printed.splitlines() if line.startswith("proxycommand "))
    said = command.removeprefix("proxycommand ")
    return said.replace("%%", "\0").replace("%h", "10.0.0.1").replace("%p", "22").replace("\0", "%")


def test_a_bastion_gets_the_same_key_and_known_hosts() -> None:
    """``ssh -J`` would look for its own; a path with odd characters arrives whole."""
    words = shlex.split(proxy_of(Endpoint(("core@10.0.0.1",), "/my keys/100%", "/k%h", "ann@gate:2222")))
    assert words[0] == "ssh"
    assert words[words.index("-i") + 1] == "/my keys/100%%"
    assert 'UserKnownHostsFile="/k%%h"' in words
    assert "BatchMode=yes" in words
    assert words[-4:] == ["-W", "[10.0.0.1]:22", "--", "ssh://ann@gate:2222"]


def test_a_connection_has_an_endpoint() -> None:
    """Through ssh, or directly; one without a bastion says nothing of it."""
    ssh = {"kind": "local", "ssh": ["core@10.0.0.1"], "key": "/k", "known_hosts": "/h"}
    assert Connection.parse(ssh).endpoint == Endpoint(("core@10.0.0.1",), "/k", "/h", managed=True)
    existing = {**ssh, "kind": "existing", "jump": "gate"}
    assert Connection.parse(existing).endpoint == Endpoint(("core@10.0.0.1",), "/k", "/h", "gate")
    local = {"kind": "existing", "fleet": "unix:///run/fleet.sock", "etcd": "http://127.0.0.1:2379"}
    assert Connection.parse(local).endpoint == LocalEndpoint("unix:///run/fleet.sock", "http://127.0.0.1:2379")


@contextmanager
def socket_server(path: Path) -> Iterator[None]:
    """A fleet of one machine at the unix socket *path*."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"machines": [{"id": "a" * 32, "primaryIP": "10.0.0.1"}]}).encode()
            self.send_response_only(200)
            self.send_header("Server", "fleetd/1.0.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield
        server.shutdown()


def test_fleets_own_socket_is_an_endpoint(tmp_path: Path) -> None:
    """For whoever works on a machine of the cluster."""
    path = tmp_path / "fleet.sock"
    with socket_server(path):
        cluster = open_cluster(LocalEndpoint(f"unix://{path}", "http://127.0.0.1:2379"), "shop")
        assert [machine.ip for machine in cluster.fleet.machines()] == ["10.0.0.1"]
        assert cluster.fleet.version() == "1.0.0"


def test_a_socket_on_which_nothing_listens_is_an_error_of_the_operating_system(tmp_path: Path) -> None:
    """The error has the system's words."""
    fleet = FleetClient(Transport(lambda: f"unix://{tmp_path / 'none'}", sleep=lambda _seconds: None))
    with pytest.raises(ClusterUnreachable, match="No such file"):
        fleet.machines()
