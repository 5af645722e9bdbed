"""etcd's v2 keys as etcd 3.5 answers them, in memory and on a loopback port."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_REUSEADDR, SOL_SOCKET, socket
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import etcd
from urllib3 import HTTPResponse

from fleetcaptain.discovery.etcd_store import EtcdStore, new_client
from fleetcaptain.errors import ClusterUnreachable
from tests.fakes.etcd_users import FakeAccess

__all__ = ["Entry", "FakeEtcd"]

_T = TypeVar("_T")
_KEYS = "/v2/keys"
_MISSING, _DIFFERENT = 404, 412
_WAIT_SEC = 20


@dataclass
class Entry:
    """A key's *value*, its *index*, and the time to live in seconds that it was last given; it does not expire."""

    value: str
    index: int
    ttl: int | None


@dataclass
class FakeEtcd:
    """The *entries* by key, and the *events* that watchers get.

    *store* uses them in memory. As a context manager it listens at *url*. *requests*: (method, key, parameters) of
    each call. The next *failures* calls fail with the status *failure*. Before the next *lose* comparisons by index
    another client writes the key. *history*: how many events are kept; etcd keeps 1000.
    *access*: its authentication. *headers*: those of each HTTP request.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    index: int = 10
    failures: int = 0
    failure: int = 500
    lose: int = 0
    history: int = 1000
    access: FakeAccess = field(default_factory=FakeAccess)
    headers: list[dict[str, str]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._refusing = socket()
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop()
        self._refusing.close()

    def close(self) -> None:
        """Stop listening. No other server gets the port: that of another test would answer in its place."""
        port = self.port
        self._stop()
        self._refusing.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self._refusing.bind(("127.0.0.1", port))

    def _stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        """The URL at which it listens."""
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def store(self) -> EtcdStore:
        """The product's store on these keys, without HTTP and without retries."""
        return _Store(self)

    @property
    def values(self) -> dict[str, str]:
        """The value of each key."""
        return {key: entry.value for key, entry in self.entries.items()}

    @property
    def writes(self) -> list[tuple[str, str, dict[str, str]]]:
        """The requests that change something."""
        return [request for request in self.requests if request[0] != "GET"]

    def put(self, key: str, value: str, ttl: int | None = None) -> str:
        """Another client sets *key*. Returns *value*."""
        with self.changed:
            self._set(key, value, ttl)
        return value

    def remove(self, key: str) -> None:
        """Another client removes *key*, or its time to live is over."""
        with self.changed:
            self._remove(key)

    def value(self, key: str) -> dict[str, Any]:
        """The JSON object at *key*."""
        found: dict[str, Any] = json.loads(self.entries[key].value)
        return found

    def answer(self, method: str, key: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The status and the body of one call, after its effect."""
        with self.changed:
            self.requests.append((method, key, form))
            self.changed.notify_all()
            if self.failures:
                self.failures -= 1
                return self.failure, {"errorCode": 300, "message": "Raft Internal Error"}
            if form.get("wait"):
                return self._wait(key, int(form["waitIndex"]))
            if self.lose and "prevIndex" in form and key in self.entries:
                self.lose -= 1
                self._set(key, self.entries[key].value, None)
            status, code = self._refused(method, key, form)
            if status:
                return status, {"errorCode": code, "message": "refused", "cause": key}
            created = method == "PUT" and key not in self.entries
            node = self._node(key)
            if method == "DELETE":
                for name in [key, *self._below(key)]:
                    self._remove(name)
            elif method == "PUT":
                ttl = form.get("ttl")
                self._set(key, form.get("value", ""), int(ttl) if ttl else None, bool(form.get("refresh")))
                node = self._node(key)
            return 201 if created else 200, {"action": method.lower(), "node": node}

    def _refused(self, method: str, key: str, form: dict[str, str]) -> tuple[int, int]:
        """The status and etcd's error code with which a call is refused; 0 for a call that is not."""
        entry = self.entries.get(key)
        if entry is None:
            if method == "PUT":
                compared = {"prevValue", "prevIndex", "refresh"} & form.keys()
                return (_MISSING, 100) if compared else (0, 0)
            directory = bool(self._below(key)) and (method == "GET" or "recursive" in form)
            return (0, 0) if directory else (_MISSING, 100)
        if form.get("prevExist") == "false":
            return _DIFFERENT, 105
        seen = (form.get("prevValue", entry.value), form.get("prevIndex", str(entry.index)))
        return (0, 0) if seen == (entry.value, str(entry.index)) else (_DIFFERENT, 101)

    def _set(self, key: str, value: str, ttl: int | None, refresh: bool = False) -> None:
        self.index += 1
        entry = self.entries[key] = Entry(self.entries[key].value if refresh else value, self.index, ttl)
        if not refresh:
            self._happened({"action": "set", "node": {"key": key, "value": entry.value, "modifiedIndex": self.index}})

    def _remove(self, key: str) -> None:
        if self.entries.pop(key, None):
            self.index += 1
            self._happened({"action": "delete", "node": {"key": key, "modifiedIndex": self.index}})

    def _happened(self, event: dict[str, Any]) -> None:
        self.events = [*self.events, event][-self.history :]
        self.changed.notify_all()

    def _wait(self, key: str, index: int) -> tuple[int, dict[str, Any]]:
        if len(self.events) == self.history and index < self.events[0]["node"]["modifiedIndex"]:
            return 400, {"errorCode": 401, "message": "The event in requested index is outdated and cleared"}
        while True:
            for event in self.events:
                node = event["node"]
                if node["modifiedIndex"] >= index and f"{node['key']}/".startswith(f"{key}/"):
                    return 200, event
            if not self.changed.wait(timeout=_WAIT_SEC):
                return 200, {}

    def _node(self, key: str) -> dict[str, Any]:
        entry = self.entries.get(key)
        if entry is not None:
            life = {"ttl": entry.ttl} if entry.ttl else {}
            indices = {"modifiedIndex": entry.index, "createdIndex": entry.index}
            return {"key": key, "value": entry.value, **life, **indices}
        below = sorted({f"{key}/{name.removeprefix(f'{key}/').partition('/')[0]}" for name in self._below(key)})
        return {"key": key, "dir": True, "nodes": [self._node(name) for name in below], "modifiedIndex": 3}

    def _below(self, key: str) -> list[str]:
        return [name for name in self.entries if name.startswith(f"{key}/")]


class _Store(EtcdStore):
    """Everything but the connection is the product's own: python-etcd's client, whose HTTP calls are answered here."""

    def __init__(self, fake: FakeEtcd) -> None:
        super().__init__(lambda: "")
        self._client: Any = new_client("http://etcd")
        self._client.http = _Http(fake)

    def _tried(self, what: str, call: Callable[[Any], _T]) -> _T:
        try:
            return call(self._client)
        except (etcd.EtcdKeyError, etcd.EtcdValueError):
            raise
        except etcd.EtcdException as error:
            raise ClusterUnreachable(f"etcd did not {what}: {error}") from error


class _Http:
    """What python-etcd uses of a pool manager."""

    def __init__(self, fake: FakeEtcd) -> None:
        self._fake = fake

    def request(self, method: str, url: str, fields: dict[str, Any] | None = None, **more: Any) -> HTTPResponse:
        path = unquote(urlsplit(url).path)
        if FakeAccess.serves(path):
            status, text = self._fake.access(method, path, more["body"])
            return HTTPResponse(text.encode(), status=status)
        form = {name: str(value) for name, value in (fields or {}).items()}
        status, body = self._fake.answer(method, path.removeprefix(_KEYS), form)
        return HTTPResponse(json.dumps(body).encode(), status=status)

    request_encode_body = request

    def clear(self) -> None:
        """Nothing is open."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing for a client that went away, as one does whose watch is stopped."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(fake: FakeEtcd) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            # As etcd, whose Go server reads a form from the body of a PUT, but never of a DELETE.
            pairs = parse_qs(f"{url.query}&{sent if self.command == 'PUT' else ''}", keep_blank_values=True)
            form = {name: values[0] for name, values in pairs.items() if name}
            fake.headers.append(dict(self.headers.items()))
            status, body = fake.answer(self.command, unquote(url.path).removeprefix(_KEYS), form)
            # etcd ends each with a line end: answers of one connection are separated by it.
            text = json.dumps(body, separators=(",", ":")).encode() + b"\n" if body else b""
            self.send_response(status)
            self.send_header("X-Etcd-Index", str(fake.index))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PUT = do_DELETE = do_GET = _handle  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    return Handler
