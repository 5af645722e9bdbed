"""The wait line, run for real by sh: it ends when the service is ready, and at once when its process is gone."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from fleetcaptain.fleetfile.values import Command, Expand, Http, Port, Tcp
from fleetcaptain.localcluster.certificates import ensure_authority, ensure_machine_pair
from fleetcaptain.units.ready_check import wait_line
from tests.unit.units.shell_machine import UNIT, PretendedMachine
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


class Page(http.server.BaseHTTPRequestHandler):
    """Answers every GET, and keeps what was asked."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_GET(self) -> None:
        """Answer, and keep what was asked."""
        self.asked.append((self.path, dict(self.headers)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def asked_for(machine: PretendedMachine, ready: Http, tls: ssl.SSLContext | None = None) -> tuple[str, dict[str, str]]:
    """The path and headers of the one request of the wait line."""
    Page.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        machine.stub("docker", f"echo 127.0.0.1:{server.server_port}")
        result = waited(machine, wait_line(replace(SPEC, ports=(Port(80),), ready=ready), "behavioral"))
        server.shutdown()
    assert result.returncode == 0, result.stderr
    (asked,) = Page.asked
    return asked


@pytest.mark.parametrize(
    "path",
    [
        "/x?[a]",
        "/{a,b}/[1-3]",
        "/a'b\"c",
        "/$HOME/`x`/$(x)",
        "/100%/%25/%Y",
        "/a/../b/./c",
        "/a\\b",
        "/a;b&c=d|e",
        "/-K/etc",
    ],
)
def test_a_path_is_asked_for_as_it_is_written(machine: PretendedMachine, path: str) -> None:
    """Neither curl, the shell nor systemd reads a part of it."""
    assert asked_for(machine, Http(path))[0] == path


def test_a_host_and_headers_are_sent(machine: PretendedMachine) -> None:
    """To the container's port, whatever the name's own address is."""
    ready = Http("/a", host="shop.invalid", headers=(("X-A", 'it\'s "$B" 50%'), ("Accept", "a/b")))
    path, headers = asked_for(machine, ready)
    assert (path, headers["Host"], headers["X-A"], headers["Accept"]) == ("/a", "shop.invalid", 'it\'s "$B" 50%', "a/b")
    assert asked_for(machine, Http(host="shop.invalid:81"))[1]["Host"] == "shop.invalid:81"
    assert asked_for(machine, Http(headers={"X-A": "b"}))[1]["X-A"] == "b"


def test_what_is_expanded_is_sent_as_the_machine_s(machine: PretendedMachine) -> None:
    """In the path, the name and the headers."""
    ready = Http(Expand("/%i/%%/$$x"), host=Expand("%p.invalid"), headers=(("X-A", Expand("%n")),))
    path, headers = asked_for(machine, ready)
    assert (path, headers["Host"], headers["X-A"]) == ("/1/%/$x", "app_server.invalid", UNIT)


@pytest.mark.parametrize("host", [None, "shop.example.org"])
def test_https_is_asked_for_by_name_and_not_verified(
    machine: PretendedMachine, tmp_path: Path, host: str | None
) -> None:
    """The name is the server's name of TLS too, for a container that has several certificates."""
    ensure_authority(tmp_path / "tls", "stack")
    (tmp_path / "pair.pem").write_bytes(b"".join(ensure_machine_pair(tmp_path / "tls", "m1", "10.0.0.11")))
    names: list[str | None] = []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pair.pem")
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    path, headers = asked_for(machine, Http("/a?[b]", host=host, https=True), tls=tls)
    assert path == "/a?[b]"
    assert names == [host]
    assert headers["Host"].startswith(host or "127.0.0.1:")


@pytest.mark.parametrize(
    ("address", "url"), [("::1", "http://[::1]:"), ("::", "http://$$host:"), ("10.0.0.5", "http://10.0.0.5:")]
)
def test_an_address_of_the_machine_is_asked_at(address: str, url: str) -> None:
    """An IPv6 one in brackets; every address is that of the machine."""
    line = wait_line(replace(SPEC, ports=(Port(80, 80, address=address),), ready=Http()), "behavioral")
    assert line is not None
    assert url in line
