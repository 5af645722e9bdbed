"""The connections of a store: a call takes one that is open, and a lost one costs no try."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fleetcaptain.discovery.etcd_store import EtcdStore

_NODE = b'{"action":"get","node":{"key":"/key","value":"x","modifiedIndex":1,"createdIndex":1}}'


class _Etcd(ThreadingHTTPServer):
    """An etcd with one key. *opened*: how many connections were made to it. *ended* is set when one has ended."""

    opened = 0
    keeps = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ended = threading.Event()

    def process_request(self, request: object, client_address: object) -> None:
        self.opened += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: object) -> None:
        super().shutdown_request(request)  # type: ignore[arg-type]
        self.ended.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(_NODE)))
        self.send_header("X-Etcd-Cluster-Id", "one")
        self.end_headers()
        self.wfile.write(_NODE)
        assert isinstance(self.server, _Etcd)
        # It says nothing of the end, as an etcd that is killed.
        self.close_connection = not self.server.keeps

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def etcd() -> Iterator[_Etcd]:
    """One that listens on the loopback."""
    with _Etcd() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _store(etcd: _Etcd) -> EtcdStore:
    def never(_seconds: float) -> None:
        raise AssertionError("it was tried again")

    return EtcdStore(lambda: f"http://127.0.0.1:{etcd.server_address[1]}", never)


def test_calls_share_a_connection(etcd: _Etcd) -> None:
    """Through a tunnel each one costs a channel and a handshake."""
    store = _store(etcd)
    for _ in range(5):
        assert store.read("/key") is not None
    assert etcd.opened == 1


def test_a_connection_that_ended_is_replaced(etcd: _Etcd) -> None:
    """Without another try of the call."""
    store = _store(etcd)
    etcd.keeps = False
    for _ in range(3):
        etcd.ended.clear()
        assert store.read("/key") is not None
        assert etcd.ended.wait(10)
    assert etcd.opened == 3
