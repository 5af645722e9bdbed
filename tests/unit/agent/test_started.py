"""`agent started`: the wait until the service is ready, and its registration."""

from __future__ import annotations

import http.server
import json
import re
import ssl
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from fleetcaptain.fleetfile.values import Command, Expand, Http, Port, Ready, ServiceSpec, Tcp
from fleetcaptain.localcluster.certificates import ensure_authority, ensure_machine_pair
from tests.fakes.fake_etcd import FakeEtcd
from tests.fakes.unit_texts import unit_hash
from tests.programs import program
from tests.unit.units.shell_machine import ADDRESS, MACHINE_ID, RUN, SHELLS, UNIT, PretendedMachine, made_by_app
from tests.unit.units.specs import SPECS

pytestmark = pytest.mark.parametrize("machine", SHELLS, indirect=True)
SPEC = SPECS["app_server"]
# Nothing to wait for, and ports that are known: what is left is the registration.
PLAIN = replace(SPEC, start=("/bin/x",), ready=None, versions=("v1.0", 'odd "%s" \\ é'))
TASK = replace(SPEC, ready=None, service=(("Type", "oneshot"),))
# The etcd of the machine stands in for the service that is waited for.
PAGE = "/v2/keys/health"


def started(machine: PretendedMachine, spec: ServiceSpec, **env: str) -> subprocess.CompletedProcess[str]:
    """Load the unit of *spec*, and let it be started."""
    machine.load(spec)
    return machine.agent("started", UNIT, **env)


def ready_at_the_third_look(machine: PretendedMachine, answer: str) -> None:
    """Let docker say *answer* only after two calls in vain."""
    machine.stub(
        "docker", f'echo x >>"{machine.folder}/asked"; test $(wc -l <"{machine.folder}/asked") -gt 2 && {{ {answer}; }}'
    )


def gone() -> str:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return str(process.pid)


def gets(etcd: FakeEtcd) -> list[tuple[str, dict[str, str]]]:
    """The requests for a page: (path, query)."""
    return [(key, form) for method, key, form in etcd.requests if method == "GET" and not key.endswith("/maintenance")]


# The registration.


def test_the_registration_says_who_where_and_what(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The value has every field of the layout; its content is the hash by which fleet knows the unit."""
    text = machine.load(PLAIN)
    done = machine.agent("started", UNIT)
    assert done.returncode == 0, done.stderr
    ((verb, key, form),) = etcd.writes
    assert (verb, key, form["ttl"], form["prevExist"]) == ("PUT", machine.key(), "900", "false")
    value = json.loads(form["value"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value.pop("since"))
    assert value == {
        "service": "app_server",
        "unit": UNIT,
        "content": unit_hash(text),
        "machine": MACHINE_ID,
        "host": ADDRESS,
        "ports": {"80": 80},
        "connection": {"host": ADDRESS, "port": 80},
        "versions": list(PLAIN.versions),
    }


def test_the_file_mirrors_the_key_and_holds_the_value(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The loop finds the key by the file's path, and compares with its bytes."""
    started(machine, PLAIN)
    files = [path for path in (machine.home / "services").rglob("*") if path.is_file()]
    assert files == [machine.file()]
    assert files[0].read_text() == etcd.values[machine.key()]


def test_ports_that_docker_picked_are_registered(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """In the order written; an address on which the first is published is that of the connection."""
    machine.stub(
        "docker",
        'case "$1 $3" in "port 80/tcp") echo 0.0.0.0:32768; echo "[::]:32770";; "port 443/tcp") echo 0.0.0.0:443;; '
        '"port 53/udp") echo 10.0.0.9:53001;; inspect*) echo true;; esac',
    )
    ports = (Port(53, 53000, 53010, protocol="udp", address="10.0.0.9"), Port(443, 443), Port(80))
    assert started(machine, replace(SPEC, ports=ports, ready=None)).returncode == 0
    value = etcd.value(machine.key())
    assert value["ports"] == {"53/udp": 53001, "443": 443, "80": 32768}
    assert value["connection"] == {"host": "10.0.0.9", "port": 53001}
    assert value["host"] == ADDRESS


@pytest.mark.parametrize(
    ("ports", "expected", "connection"),
    [
        ((Port(80, 80, address="::1"),), {"80": 80}, {"host": "::1", "port": 80}),
        ((Port(80, 81, address="::"),), {"80": 81}, {"host": ADDRESS, "port": 81}),
        (
            (Port(80, 81, address="10.0.0.5"), Port(53, protocol="udp")),
            {"80": 81, "53/udp": 53},
            {"host": "10.0.0.5", "port": 81},
        ),
        ((), {}, {"host": ADDRESS, "port": None}),
    ],
)
def test_ports_of_the_machine_are_registered(
    machine: PretendedMachine, etcd: FakeEtcd, ports: tuple[Port, ...], expected: object, connection: object
) -> None:
    """Where no container publishes them; without ports the host is still known."""
    machine.stub("docker", "echo 1.2.3.4:5")
    assert started(machine, replace(PLAIN, ports=ports)).returncode == 0
    value = etcd.value(machine.key())
    assert (value["ports"], value["connection"]) == (expected, connection)


def test_in_the_machines_network_ports_are_the_machines(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """docker publishes none there, and is not asked for any."""
    machine.stub("docker", "echo true")
    ports = (Port(etcd.port), Port(53, 53, protocol="udp"))
    spec = replace(SPEC, docker_args=("--net=host",), ports=ports, ready=Http("/v2/keys/fleetcaptain"))
    etcd.put("/fleetcaptain", "there")
    assert started(machine, spec).returncode == 0
    assert etcd.value(machine.key())["ports"] == {str(etcd.port): etcd.port, "53/udp": 53}


@pytest.mark.parametrize("port", [Port(80), Port(80, 8080), Port(80, 8080, 8090)])
def test_the_ports_of_a_task_are_not_registered(machine: PretendedMachine, etcd: FakeEtcd, port: Port) -> None:
    """Nothing answers there any more, and docker knows none. Its main process has ended too."""
    done = started(machine, replace(TASK, ports=(port,)), MAINPID=gone())
    assert done.returncode == 0, done.stderr
    value = etcd.value(machine.key())
    assert (value["ports"], value["connection"]["port"]) == ({}, None)


def test_it_tries_again_while_etcd_has_no_leader(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """etcd answers 500 during an election; that must not fail a start."""
    etcd.failures = 3
    assert started(machine, PLAIN).returncode == 0
    assert machine.key() in etcd.values


@pytest.mark.parametrize("port", [Port(80), Port(80, 80, 90), Port(80, 80)])
def test_a_port_that_docker_does_not_know_fails_the_start(
    machine: PretendedMachine, etcd: FakeEtcd, port: Port
) -> None:
    """No registration is better than one without its port."""
    machine.stub("docker", 'test "$1" = inspect && echo true')
    done = started(machine, replace(SPEC, ports=(port,), ready=None))
    assert done.returncode == 1
    assert f"Could not register {UNIT}: docker does not publish port 80 of fc.behavioral.app_server.1" in done.stderr
    assert etcd.requests == []
    assert not machine.file().exists()


def test_what_the_app_registered_before_its_unit_did_stays(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """The app knows better when it is ready and where; the file is written all the same, for when the app lets go."""
    value = etcd.put(machine.key(), made_by_app("app", connection={"port": 1}), 60)
    assert started(machine, PLAIN).returncode == 0
    assert etcd.values == {machine.key(): value}
    assert machine.file().exists()


@pytest.mark.parametrize(
    "left",
    [
        "of another machine",
        made_by_app(run="earlier", connection={"a": 1, "run": RUN}),
        made_by_app(machine="machine-b"),
        "",
    ],
)
def test_what_an_earlier_run_left_is_replaced(machine: PretendedMachine, etcd: FakeEtcd, left: str) -> None:
    """Another machine's, another run's: none of it is true any more where this unit starts."""
    etcd.put(machine.key(), left, 60)
    assert started(machine, PLAIN).returncode == 0
    value = etcd.value(machine.key())
    assert (value["machine"], value.get("lease")) == (MACHINE_ID, None)


def test_an_etcd_that_refuses_fails_the_start_and_says_why(machine: PretendedMachine) -> None:
    """What etcd answered stands in the journal."""
    machine.stub("curl", 'printf "no such thing 400"')
    done = started(machine, PLAIN)
    assert done.returncode == 1
    assert f"Could not register {UNIT}: etcd answered 400: no such thing" in done.stdout


def test_an_etcd_that_is_away_fails_the_start_and_says_why(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """With curl's own words."""
    etcd.close()
    done = started(machine, PLAIN)
    assert done.returncode == 1
    assert re.search(rf"Could not register {UNIT}: etcd answered 000: curl: \(7\)", done.stdout)


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
def test_no_proxy_stands_between_a_unit_and_its_own_machine(
    machine: PretendedMachine, etcd: FakeEtcd, name: str
) -> None:
    """The variables of a unit, or of the machine, may name one."""
    proxy = {name: "http://127.0.0.1:9", "no_proxy": "example.org"}
    assert started(machine, PLAIN, **proxy).returncode == 0
    assert machine.key() in etcd.values
    machine.agent("starting", UNIT)
    machine.agent("stopping", UNIT, **proxy)
    assert machine.key() not in etcd.values


def test_a_wrong_clock_changes_only_since(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """It may say anything."""
    machine.stub("date", "echo 1970-01-01T00:00:00Z")
    assert started(machine, PLAIN).returncode == 0
    assert etcd.value(machine.key())["since"] == "1970-01-01T00:00:00Z"


# The wait.


@pytest.mark.parametrize("ready", [Http(f"{PAGE}?deep=1&x=a'b%41"), Tcp(), Tcp(80)])
def test_a_published_port_is_polled_where_docker_put_it(
    machine: PretendedMachine, etcd: FakeEtcd, ready: Http | Tcp
) -> None:
    """Only docker knows the port on the machine, and only once the container runs."""
    etcd.put("/health", "there")
    ready_at_the_third_look(machine, f'echo "0.0.0.0:{etcd.port}" && echo "[::]:1"')
    done = started(machine, replace(SPEC, ports=(Port(80),), ready=ready))
    assert done.returncode == 0, done.stderr
    # Twice in vain, for the check, and for the registration.
    assert (machine.folder / "asked").read_text().count("x") == 4
    assert etcd.value(machine.key())["ports"] == {"80": etcd.port}
    if isinstance(ready, Http):
        assert gets(etcd) == [("/health", {"deep": "1", "x": "a'bA"})]


@pytest.mark.parametrize(
    ("ready", "waits"),
    [
        (Http("/"), "GET / on container port 80"),
        (Tcp(), "a connection to container port 80"),
        (Command("true"), "its command"),
        (None, "its container"),
    ],
)
@pytest.mark.parametrize("left", ["id", "none"])
def test_it_fails_at_once_when_the_process_is_gone(
    machine: PretendedMachine, etcd: FakeEtcd, ready: Ready | None, waits: str, left: str
) -> None:
    """systemd waits for this line, so it must not outlive the service; the journal gets a sentence. systemd may have
    set no MAINPID at all."""
    machine.load(replace(SPEC, ready=ready))
    done = (
        machine.agent("started", UNIT, MAINPID=gone())
        if left == "id"
        else machine.agent("started", UNIT, without="MAINPID")
    )
    assert done.returncode == 1
    assert done.stdout == f"waiting for {waits}\nthe service ended before it was ready\n"
    assert etcd.requests == []


def test_an_answer_of_another_container_does_not_count(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """While docker does not publish the port for this container, what answers there is another one."""
    spec = replace(SPEC, ports=(Port(80, etcd.port),), ready=Http("/"))
    assert started(machine, spec, MAINPID=gone()).returncode == 1
    assert etcd.requests == []


def test_an_error_status_is_not_ready(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Only 2xx and 3xx are."""
    etcd.put("/health", "there")
    etcd.failures = 2
    machine.stub("docker", f"echo 0.0.0.0:{etcd.port}")
    assert started(machine, replace(SPEC, ready=Http(PAGE))).returncode == 0
    assert len(gets(etcd)) == 3


def test_a_refused_connection_is_not_ready(machine: PretendedMachine) -> None:
    """The wait goes on until the process is gone."""
    machine.stub("docker", "echo 0.0.0.0:1")
    assert started(machine, replace(SPEC, ready=Tcp()), MAINPID=gone()).returncode == 1


def test_a_command_runs_inside_the_container(machine: PretendedMachine) -> None:
    """docker exec gets the user's line as one word for the container's shell."""
    machine.stub("docker", f'printf "%s|" "$@" >"{machine.folder}/seen"')
    line = "test \"$A\" = 'it'\\''s' && echo 100%  <{% $$ \\\\"
    assert started(machine, replace(SPEC, ports=(), ready=Command(line))).returncode == 0
    assert (machine.folder / "seen").read_text() == f"exec|fc.behavioral.app_server.1|sh|-c|{line}|"


def test_a_long_command_is_continued_and_read_whole(machine: PretendedMachine) -> None:
    """fleet takes no longer lines than 2,048 bytes."""
    machine.stub("docker", f'printf "%s" "$5" >"{machine.folder}/seen"')
    line = "test  x = x && " * 1000 + "true"
    assert started(machine, replace(SPEC, ports=(), ready=Command(line))).returncode == 0
    assert (machine.folder / "seen").read_text() == line


def test_without_a_container_the_command_is_the_machines(machine: PretendedMachine) -> None:
    """With its own variables."""
    own = replace(PLAIN, ready=Command(f'test "$A" = b && echo x >>{machine.folder}/ran'))
    assert started(machine, own, A="b").returncode == 0
    assert (machine.folder / "ran").exists()


def test_without_ready_the_container_must_run(machine: PretendedMachine) -> None:
    """A registration of a container that is not there yet would send others to a closed door."""
    ready_at_the_third_look(machine, "echo true")
    assert started(machine, replace(SPEC, ports=(), ready=None)).returncode == 0
    assert (machine.folder / "asked").read_text().count("x") == 3


def test_own_start_lines_are_waited_for_only_on_request(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Without docker the port is the machine's own."""
    own = replace(PLAIN, ports=(Port(etcd.port),))
    assert "waiting" not in started(machine, own).stdout
    etcd.put("/health", "there")
    done = started(machine, replace(own, ready=Http(PAGE)))
    assert (done.returncode, f"waiting for GET {PAGE} on container port {etcd.port}" in done.stdout) == (0, True)


def test_an_answer_that_is_not_ready_is_said(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Once, with its status: a wrong path would else be a timeout without a reason."""
    seen, put = machine.folder / "seen", f"{program('curl')} -s -o /dev/null -X PUT -d value=x {etcd.url}{PAGE}"
    machine.stub("sleep", f"echo x >>{seen}; [ $(grep -c x {seen}) -lt 3 ] || {put}")
    done = started(machine, replace(PLAIN, ports=(Port(etcd.port),), ready=Http(PAGE)))
    assert done.returncode == 0
    assert done.stdout.count(f"not ready: GET {PAGE} on container port {etcd.port} was answered with 404") == 1


def test_a_check_of_a_newer_unit_is_not_taken_for_ready(machine: PretendedMachine, etcd: FakeEtcd) -> None:
    """Of a kind of check that this agent does not know it at least waits for the container."""
    text = machine.load(replace(SPEC, ready=None))
    machine.write(text.replace("Ready=running", "Ready=grpc 80 shop.Health"))
    assert machine.agent("started", UNIT, MAINPID=gone()).returncode == 1
    assert etcd.requests == []


class Page(http.server.BaseHTTPRequestHandler):
    """Answers every GET, and keeps its path and headers."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_GET(self) -> None:
        """Answer, and keep the request."""
        self.asked.append((self.path, dict(self.headers)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def asked_for(
    machine: PretendedMachine, ready: Http, tls: ssl.SSLContext | None = None, **env: str
) -> tuple[str, dict[str, str]]:
    """The path and headers of the one request of the wait."""
    Page.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        machine.stub("docker", f"echo 127.0.0.1:{server.server_port}")
        done = started(machine, replace(SPEC, ports=(Port(80),), ready=ready), **env)
        server.shutdown()
    assert done.returncode == 0, done.stderr
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
        "/a\\",
        "/a;b&c=d|e",
        "/-K/etc",
        "/*",
        "/<{%",
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
    """In the path, the name and the headers: all that the agent replaces."""
    written = Expand("/%i/%%/$$x/${A_1}/${NONE}/%p/%N/%m")
    ready = Http(written, host=Expand("%p.invalid"), headers=(("X-A", Expand("%n %H")),))
    path, headers = asked_for(machine, ready, A_1="b%i$c")
    assert path == f"/1/%/$x/b%i$c//app_server/app_server@1/{MACHINE_ID}"
    host = subprocess.run(["uname", "-n"], capture_output=True, text=True, check=True).stdout.strip()
    assert (headers["Host"], headers["X-A"]) == ("app_server.invalid", f"{UNIT} {host}")


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
    ("docker", "url"),
    [
        ("[::1]:8080", "http://[::1]:8080/"),
        ("[::]:8080", f"http://{ADDRESS}:8080/"),
        (":::8080", f"http://{ADDRESS}:8080/"),
        ("0.0.0.0:8080", f"http://{ADDRESS}:8080/"),
        ("10.0.0.5:8080", "http://10.0.0.5:8080/"),
    ],
)
def test_an_address_of_the_machine_is_asked_at(machine: PretendedMachine, docker: str, url: str) -> None:
    """An IPv6 one in brackets; every address is that of the machine."""
    machine.stub("docker", f"echo '{docker}'")
    machine.stub("curl", f'for last; do :; done; echo "$last" >>{machine.folder}/asked; printf "{{}} 201"')
    assert started(machine, replace(SPEC, ready=Http())).returncode == 0
    assert (machine.folder / "asked").read_text().splitlines()[0] == url
