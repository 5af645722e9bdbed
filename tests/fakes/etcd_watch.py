"""etcd's v2 keys on a loopback port, with watches: what discovery uses of them, as etcd 3.5 answers it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["Entry", "WatchedEtcd", "watched_etcd"]


@dataclass
class Entry:
    """A key's value, its index, and the time to live that it was last given."""

    value: str
    index: int
    ttl: int | None


@dataclass
class WatchedEtcd:
    """The keys, and what happened to them. *failures* requests are answered with *failure* first.

    *history* is how many events are remembered, as etcd remembers 1000.
    """

    url: str = ""
    keys: dict[str, Entry] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    index: int = 10
    failures: int = 0
    failure: int = 500
    history: int = 1000
    changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, key: str, value: str) -> None:
        """Somebody else sets *key*."""
        with self.changed:
            self._set(key, value, None)

    def remove(self, key: str) -> None:
        """Somebody else removes *key*, or its time to live is over."""
        with self.changed:
            self._remove(key)

    def value(self, key: str) -> dict[str, Any]:
        """The JSON at *key*."""
        found: dict[str, Any] = json.loads(self.keys[key].value)
        return found

    def answer(self, verb: str, key: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The status and the body of one request, after its effect."""
        with self.changed:
            self.requests.append((verb, key, form))
            self.changed.notify_all()
            if self.failures:
                self.failures -= 1
                return self.failure, {"errorCode": 300, "message": "Raft Internal Error"}
            if form.get("wait"):
                return self._wait(key, int(form["waitIndex"]))
            refused = self._refused(verb, key, form)
            if refused:
                return refused, {"errorCode": 100 if refused == 404 else 101}
            if verb == "DELETE":
                self._remove(key)
            elif verb == "PUT":
                self._set(key, form.get("value", ""), int(form["ttl"]), bool(form.get("refresh")))
            return 200, {"action": verb.lower(), "node": self._node(key)}

    def _refused(self, verb: str, key: str, form: dict[str, str]) -> int:
        entry = self.keys.get(key)
        if form.get("prevExist") == "false":
            return 412 if entry else 0
        if entry is None:
            directory = any(name.startswith(f"{key}/") for name in self.keys)
            return 0 if (verb == "GET" and directory) or (verb == "PUT" and "prevValue" not in form) else 404
        return 412 if form.get("prevValue", entry.value) != entry.value else 0

    def _set(self, key: str, value: str, ttl: int | None, refresh: bool = False) -> None:
        self.index += 1
        entry = self.keys[key] = Entry(self.keys[key].value if refresh else value, self.index, ttl)
        if not refresh:
            self._happened({"action": "set", "node": {"key": key, "value": entry.value, "modifiedIndex": self.index}})

    def _remove(self, key: str) -> None:
        self.index += 1
        if self.keys.pop(key, None):
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
            if not self.changed.wait(timeout=20):
                return 200, {}

    def _node(self, key: str) -> dict[str, Any]:
        entry = self.keys.get(key)
        if entry is not None:
            return {"key": key, "value": entry.value, "modifiedIndex": entry.index, "createdIndex": entry.index}
        below = sorted({f"{key}/{name.removeprefix(f'{key}/').partition('/')[0]}" for name in self._below(key)})
        return {"key": key, "dir": True, "nodes": [self._node(name) for name in below]}

    def _below(self, key: str) -> Iterator[str]:
        return (name for name in self.keys if name.startswith(f"{key}/"))


@contextmanager
def watched_etcd() -> Iterator[WatchedEtcd]:
    """An empty etcd, until the block ends."""
    etcd = WatchedEtcd()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            # As etcd, whose Go server reads a form from the body of a PUT, but never of a DELETE.
            pairs = parse_qs(f"{url.query}&{sent if self.command == 'PUT' else ''}", keep_blank_values=True)
            form = {name: values[0] for name, values in pairs.items() if name}
            status, body = etcd.answer(self.command, unquote(url.path).removeprefix("/v2/keys"), form)
            text = json.dumps(body).encode() if body else b""
            self.send_response(status)
            self.send_header("X-Etcd-Index", str(etcd.index))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PUT = do_DELETE = do_GET = _handle  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    etcd.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield etcd
    finally:
        server.shutdown()
        server.server_close()
