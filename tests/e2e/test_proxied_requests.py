"""The public address of an app: it stays, and loses no request while what is behind it is replaced."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.e2e.load import PER_SEC, load
from tests.e2e.stack import Stack
from tests.faults.machine_faults import killed, machine_of, machines, run_on, until
from tests.programs import program

_AGENT = "behavioral-agent.service"
_PUBLIC = """
            public=[HttpRoute(9000), HttpRoute(9001, "shop.example.org", "/results"), HttpRoute(9443, tls="cert")],"""
_FLEETFILE = {
    "from fleetcaptain import ": "from fleetcaptain import HttpRoute, TcpRoute, ",
    'ports=["8080-8089:80"],': f'ports=["8080-8089:80"],{_PUBLIC}',
    # The death of a machine leaves one of them.
    "instances=4": 'instances=2,\n            conflicts=["app_server@*"]',
    "ports=[6379],": "ports=[6379],\n            public=TcpRoute(9002),",
}
# Answers each method, requests that take as long as a stop may, and a protocol that a connection is upgraded to.
_SERVER = {
    "    class Handler(BaseHTTPRequestHandler):\n": """    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.do_GET()
""",
    "        def do_GET(self):\n": """        def do_GET(self):
            if self.path == "/slow":
                import time

                time.sleep(6)
            if self.path == "/echo":
                self.send_response(101)
                self.send_header("Connection", "Upgrade")
                self.send_header("Upgrade", "echo")
                self.end_headers()
                self.close_connection = True
                for line in self.rfile:
                    self.wfile.write(line)
                return
""",
    '        if path == "/alive":\n': '        if path in ("/alive", "/slow"):\n',
}
# Another text of the servers and of redis, and another route: so the proxy is another one, too.
_CHANGES = {
    "restart_sec=5,": "restart_sec=6,",
    "public=TcpRoute(9002),": "public=[TcpRoute(9002), TcpRoute(9003)],",
}


_RENAME = {
    '"app_server",': '"shop",\n            renamed_from="app_server",',
    "app_server@*": "shop@*",
}


def _certificate(folder: Path) -> str:
    """A certificate and its key."""
    argv = [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = [folder / "key.pem", folder / "cert.pem"]
    subprocess.run(
        [*map(str, argv), "-subj", "/CN=shop.example.org", "-keyout", str(files[0]), "-out", str(files[1])],
        check=True,
        capture_output=True,
    )
    return "".join(file.read_text() for file in reversed(files))


def _status(connection: http.client.HTTPConnection, path: str, host: str = "any") -> int:
    with closing(connection):
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status


def _redis_answers(address: str, port: int) -> bool:
    with socket.create_connection((address, port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(100) == b"+PONG\r\n"


def _upgraded(address: str) -> socket.socket:
    """A connection on which the server echoes lines."""
    connection = socket.create_connection((address, 9000), timeout=10)
    connection.sendall(b"GET /echo HTTP/1.1\r\nHost: any\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    assert b" 101 " in connection.recv(1000)
    return connection


def _echoes(connection: socket.socket) -> bool:
    connection.sendall(b"line\n")
    return connection.recv(100) == b"line\n"


def _container(machine: Any) -> str:
    return run_on(machine, "cat", "/run/fleetcaptain/behavioral/proxy/container").strip()


def _hand_over(machine: Any) -> None:
    """The proxy of *machine* gets an image with another name, as in an update; then its own again."""
    (unit,) = run_on(machine, "sh", "-c", "cd /run/fleet/units && ls behavioral-proxy@*").split()
    name = _container(machine)
    image = run_on(machine, "docker", "inspect", "-f", "{{.Config.Image}}", name).strip()
    run_on(machine, "docker", "tag", image, "other:1")
    override = f"/run/systemd/system/{unit}.d"
    start = "[Service]\\nExecStart=\\nExecStart=/bin/sh /run/fleetcaptain/behavioral/agent proxy %%n other:1\\n"
    run_on(machine, "sh", "-c", f"mkdir -p {override} && printf '{start}' >{override}/other.conf")
    for change in (":", f"rm -r {override}"):
        before = _container(machine)
        run_on(machine, "sh", "-c", f"{change}; systemctl daemon-reload && systemctl restart {unit}")
        assert _container(machine) != before


def test_not_one_request_to_the_public_address_is_lost(stack: Stack, tmp_path: Path) -> None:
    """At 200 requests a second: while servers, redis (blue/green) and the proxies are replaced, and the containers of a
    proxy and the agents; while the servers get another name, their own again by a rollback, and are restarted and
    moved. When an instance is killed, or a machine (at the addresses of the others), only requests that were under way
    at its end may be lost."""
    stack.set_secret("cert", _certificate(tmp_path))
    stack.edit("Fleetfile.py", _FLEETFILE)
    stack.edit("behavioral/server.py", _SERVER)
    stack.up()
    outputs = stack.outputs()
    addresses = sorted(outputs["machines"].values())
    urls = [f"http://{address}:9000" for address in addresses]
    assert set(urls) <= set(outputs["endpoints"]["app_server"])
    trusting = ssl._create_unverified_context()  # noqa: S323  its own certificate
    for address in addresses:
        assert _status(http.client.HTTPSConnection(address, 9443, timeout=5, context=trusting), "/alive") == 200
        assert _status(http.client.HTTPConnection(address, 9001), "/results", "shop.example.org:9001") == 200
        assert _status(http.client.HTTPConnection(address, 9001), "/resultsx", "shop.example.org") == 404
        assert _status(http.client.HTTPConnection(address, 9001), "/results") == 404
        assert _redis_answers(address, 9002)

    there = machines(stack)
    with load(urls, "/alive") as found, ThreadPoolExecutor() as pool:
        slow = _slow(pool, addresses)
        stack.edit("Fleetfile.py", _CHANGES)
        stack.up()
        assert slow() == [200] * len(addresses)
        assert all(_redis_answers(address, 9003) for address in addresses)
        with closing(_upgraded(addresses[0])) as upgraded:
            slow = _slow(pool, addresses)
            _hand_over(there["m1"])
            for machine in there.values():
                run_on(machine, "systemctl", "restart", _AGENT)
            assert slow() == [200] * len(addresses)
            assert _echoes(upgraded)
        _rename_and_move(stack, addresses[0])
    assert found.lost == []
    assert found.answered > 10 * PER_SEC

    dying = machine_of(stack, "shop@2.service")
    others = [f"http://{outputs['machines'][name]}:9000" for name, one in there.items() if one.id != dying.id]
    with load(others, "/alive") as found:
        until(lambda: found.answered > PER_SEC, "the load is there")
        run_on(machine_of(stack, "shop@1.service"), "docker", "rm", "-f", "fc.behavioral.shop.1")
        ended = [time.monotonic()]
        until(lambda: len(_servers(stack)) == 1, "its registration is gone")
        until(lambda: len(_servers(stack)) == 2, "it is back")
        under_way = len(found.lost)
        with killed(dying):
            ended.append(time.monotonic())
            answered = found.answered
            until(lambda: found.answered > answered + 8 * PER_SEC, "the others go on")
    assert [one for one in found.lost[:under_way] if one[0] > ended[0]] == []
    assert [one for one in found.lost[under_way:] if one[0] > ended[1]] == []


def _servers(stack: Stack) -> set[str]:
    return {entry.unit for entry in stack.cluster().snapshot().live if entry.service == "shop"}


def _rename_and_move(stack: Stack, address: str) -> None:
    """The servers get another name, the former one by a rollback, and the other one again. Then they are restarted, and
    leave the machine with this *address*."""
    stack.edit("Fleetfile.py", _RENAME)
    stack.up()
    _run(stack, "rollback", "--yes", "--config-file", str(stack.settings))
    stack.up()
    until(lambda: len(_servers(stack)) == 2, "both have the new name")
    _run(stack, "restart", "shop")
    for state in ("on", "off"):
        _run(stack, "maintenance", state, address)
    _run(stack, "rebalance")


def _run(stack: Stack, *argv: str) -> None:
    done = stack.captain(*argv)
    assert done.code == 0, done.output


def _slow(pool: ThreadPoolExecutor, addresses: list[str]) -> Callable[[], list[int]]:
    """Requests that take as long as a stop may begin at *addresses*; their status, later."""
    begun = [
        pool.submit(_status, http.client.HTTPConnection(address, 9000, timeout=30), "/slow") for address in addresses
    ]
    return lambda: [one.result() for one in begun]
