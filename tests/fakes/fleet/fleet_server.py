"""The fake fleet's HTTP side: a server on the loopback or a unix socket, what it was asked, and faults on demand."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from fleetcaptain.fleet.entities import Machine
from tests.fakes.fleet.fake_fleet import Cluster, Loaded
from tests.fakes.fleet.replies import Panic, Refusal, Reply, Request
from tests.fakes.fleet.routes import answer

__all__ = ["DROPPED", "LOST", "FakeFleet", "Fault"]

_MACHINES = (Machine("a" * 32, "10.0.0.11", {"name": "m1"}), Machine("b" * 32, "10.0.0.12", {"name": "m2"}))


@dataclass(frozen=True)
class Fault:
    """How one call goes wrong: with *status*, 0 for a dropped connection; *carried_out*: after its effect."""

    status: int = 0
    carried_out: bool = False


DROPPED = Fault()
LOST = Fault(carried_out=True)


class FakeFleet:
    """fleetd over a *cluster* of two machines or the given one, at *url* on the loopback or at the unix *socket_path*.

    Units move on with `Cluster.step`; with *steps_on_read* also once after each answer of the list of states.
    """

    def __init__(
        self, cluster: Cluster | None = None, *, steps_on_read: bool = False, socket_path: Path | None = None
    ) -> None:
        self.cluster = cluster or Cluster(_MACHINES)
        self.steps_on_read = steps_on_read
        self.requests: list[Request] = []
        self.connections = 0
        self.server_header = "fleetd/1.0.0"
        self._faults: deque[Fault] = deque()
        self._lock = threading.Lock()
        self._server = _serve(self, socket_path)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def inject(self, *faults: Fault) -> None:
        """The next calls go wrong, one fault each."""
        self._faults.extend(faults)

    def asked(self, method: str) -> list[Request]:
        """The requests with *method* so far."""
        return [request for request in self.requests if request.method == method]

    def step(self) -> dict[tuple[str, str], Loaded]:
        """One step of the cluster, between calls; what is loaded after it, by name and machine."""
        with self._lock:
            self.cluster.step()
            return dict(self.cluster.loaded)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def handle(self, request: Request) -> Reply:
        """One call; called by the server. Raises `Panic` for a dropped connection."""
        with self._lock:
            self.requests.append(request)
            fault = self._faults.popleft() if self._faults else None
            reply = answer(self.cluster, request) if fault is None or fault.carried_out else Reply(0)
            if self.steps_on_read and request.method == "GET" and request.path.endswith("/state"):
                self.cluster.step()
        if fault is None:
            return reply
        if fault.status == 0:
            raise Panic
        words = "fleet server unable to communicate with etcd" if fault.status == 503 else ""
        return Refusal(fault.status, words).reply


class _UnixServer(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        """As for any socket: HTTP's own would look for the name of an address."""
        TCPServer.server_bind(self)
        self.server_port = 0


def _serve(fleet: FakeFleet, socket_path: Path | None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            fleet.connections += 1

        def _handle(self) -> None:
            url = urlsplit(self.path)
            request = Request(
                self.command,
                unquote(url.path),
                parse_qs(url.query, keep_blank_values=True),
                self.headers.get_all("Content-Type", []),
                self.rfile.read(int(self.headers.get("Content-Length", 0))),
            )
            try:
                self._send(fleet.handle(request))
            except Panic:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        def _send(self, reply: Reply) -> None:
            # As Go writes its structs, whose fields are sorted by name.
            body = b"" if reply.data is None else json.dumps(reply.data, separators=(",", ":"), sort_keys=True).encode()
            self.send_response_only(reply.status)
            # 503 comes from a handler of its own, which sends no such header.
            if reply.status != 503:
                self.send_header("Server", fleet.server_header)
            if body:
                self.send_header("Content-Type", "application/json")
            if reply.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            # A client may be gone after an answer without a body.
            if body:
                self.wfile.write(body)

        do_GET = do_PUT = do_DELETE = do_POST = do_PATCH = _handle  # noqa: N815

        def log_message(self, *_args: object) -> None:
            pass

    if socket_path is None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    else:
        server = _UnixServer(str(socket_path), Handler)  # type: ignore[arg-type]  # an address of its family
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
