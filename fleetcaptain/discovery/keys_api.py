"""etcd's v2 keys over HTTP with Python's standard library alone, for apps.

python-etcd, which deployments use, would add three packages to every image, one of which must be built there, and its
watches silently miss changes. Proxies of the environment are ignored: etcd is on the machine.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from fleetcaptain.discovery.keys import DEPTH, path_of
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.net.body import CHUNK_BYTES, read_body

__all__ = ["KeysAnswer", "KeysApi"]

_TIMEOUT_SEC = 5.0
_PAUSE_SEC = 1.0
_PATIENCE_SEC = 8.0
_UNIX = "unix://"
_GONE, _CONFLICT = 404, 412
_EXPECTED = {200, 201, 400, _GONE, _CONFLICT}


@dataclass(frozen=True)
class KeysAnswer:
    """etcd's answer. *index* is etcd's index at that moment: the answer includes every change up to it."""

    status: int
    index: int
    body: Mapping[str, Any]

    @property
    def node(self) -> Mapping[str, Any]:
        """The node that was read or changed; empty when there is none."""
        node = self.body.get("node")
        return node if isinstance(node, dict) else {}

    @property
    def done(self) -> bool:
        """Whether the request succeeded: the key existed and the comparison held."""
        return self.status not in (400, _GONE, _CONFLICT)

    @property
    def gone(self) -> bool:
        """Whether the key does not exist."""
        return self.status == _GONE


class KeysApi:
    """A client of etcd at *url*: ``http://host:port``, ``unix://<path of a socket>``, or a function that returns one of
    them before each try, so that a broken tunnel can be replaced. Keys begin with ``/``. Safe to share between threads.

    Every call is tried for *patience_sec* seconds, at least once, and then raises ClusterUnreachable. The default is
    longer than the election of a leader. *mark_unreachable* gets each address that did not answer.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        *,
        patience_sec: float = _PATIENCE_SEC,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        mark_unreachable: Callable[[str], None] = lambda _url: None,
    ) -> None:
        if isinstance(url, str):
            _place(url)
        self._url = url
        self._leave = mark_unreachable
        self._patience_sec = patience_sec
        self._clock = clock
        self._sleep = sleep

    def get(self, key: str, *, recursive: bool = False) -> KeysAnswer:
        """Read *key*, or the whole directory *key*."""
        return self._call("GET", key, {"recursive": "true"} if recursive else {})

    def tree(self, directory: str, depth: int = DEPTH) -> KeysAnswer:
        """Read the whole *directory* at once. If its keys are nested too deep for that, read it level by level; then a
        directory deeper than `DEPTH` is a key without a value."""
        try:
            return self.get(directory, recursive=True)
        except RecursionError:
            answer = self.get(directory)
        nodes = []
        for node in answer.node.get("nodes") or ():
            if not node.get("dir"):
                nodes.append(node)
            elif depth:
                nodes.append(self.tree(node["key"], depth - 1).node)
            else:
                nodes.append({"key": node["key"]})
        return replace(answer, body={**answer.body, "node": {**answer.node, "nodes": nodes}})

    def put(self, key: str, value: str, ttl_sec: int, **compare: str) -> KeysAnswer:
        """Set *key*; *compare* is etcd's comparison, such as ``prevExist="false"`` or ``prevValue=...``."""
        return self._call("PUT", key, {"value": value, "ttl": str(ttl_sec), **compare})

    def refresh(self, key: str, value: str, ttl_sec: int) -> KeysAnswer:
        """Renew *key* for *ttl_sec* seconds if it still has *value*. Watchers do not see it."""
        return self._call("PUT", key, {"refresh": "true", "ttl": str(ttl_sec), "prevValue": value})

    def delete(self, key: str, **compare: str) -> KeysAnswer:
        """Remove *key*; *compare* as for `put`."""
        return self._call("DELETE", key, compare)

    def wait(self, directory: str, index: int, timeout_sec: float) -> KeysAnswer | None:
        """Wait for the first change below *directory* from *index* on; None on timeout. Tried only once."""
        form = {"wait": "true", "recursive": "true", "waitIndex": str(index)}
        url = self._present()
        try:
            return self._once(url, "GET", directory, form, timeout_sec)
        except TimeoutError:
            return None
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._leave(url)
            raise _unreachable(url, str(error)) from error

    def request(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        """Send a request that is not about a key, once, with a JSON *body*; returns status and text, 0 without an
        answer. Raises ClusterUnreachable when no machine accepts a connection."""
        url = self._present()
        connection = _connection(url, _TIMEOUT_SEC)
        try:
            connection.request(method, path, body or None, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            text = read_body(iter(lambda: response.read(CHUNK_BYTES), b""), f"{method} {path} of etcd")
            return response.status, text.decode(errors="replace")
        except (OSError, ValueError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def _call(self, verb: str, key: str, form: Mapping[str, str]) -> KeysAnswer:
        deadline = self._clock() + self._patience_sec
        while True:
            url = self._present()
            try:
                answer = self._once(url, verb, key, form, _TIMEOUT_SEC)
            except (OSError, ValueError, http.client.HTTPException) as error:
                problem = str(error) or type(error).__name__
            else:
                if answer.status in _EXPECTED:
                    return answer
                problem = f"it answered {answer.status} {answer.body.get('message', '')}".rstrip()
            self._leave(url)
            if self._clock() + _PAUSE_SEC > deadline:
                raise _unreachable(url, problem)
            self._sleep(_PAUSE_SEC)

    def _present(self) -> str:
        return self._url if isinstance(self._url, str) else self._url()

    def _once(self, url: str, verb: str, key: str, form: Mapping[str, str], timeout_sec: float) -> KeysAnswer:
        query = urlencode(form)
        path = path_of(key)
        # Go's server reads a form from the body of a PUT only.
        path, body = (path, query) if verb == "PUT" else (f"{path}?{query}" if query else path, None)
        connection = _connection(url, timeout_sec)
        try:
            connection.request(verb, path, body, {"Content-Type": "application/x-www-form-urlencoded"} if body else {})
            response = connection.getresponse()
            text = read_body(iter(lambda: response.read(CHUNK_BYTES), b""), f"{verb} {key} of etcd")
            # When etcd ends a long wait, its answer has no body.
            answer = json.loads(text) if text.strip() else {}
            index = int(response.headers.get("X-Etcd-Index") or 0)
            return KeysAnswer(response.status, index, answer if isinstance(answer, dict) else {})
        finally:
            connection.close()


class _SocketConnection(http.client.HTTPConnection):
    """HTTP through the unix socket at *path*."""

    def __init__(self, path: str, timeout_sec: float) -> None:
        super().__init__("localhost", timeout=timeout_sec)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(url: str, timeout_sec: float) -> http.client.HTTPConnection:
    if url.startswith(_UNIX):
        return _SocketConnection(url.removeprefix(_UNIX), timeout_sec)
    host, port = _place(url)
    return http.client.HTTPConnection(host, port, timeout=timeout_sec)


def _place(url: str) -> tuple[str, int]:
    """The host and the port of *url*; empty for a socket. Raises ClusterUnreachable for any other scheme."""
    if url.startswith(_UNIX):
        return "", 0
    address = urlsplit(url if "//" in url else f"//{url}")
    if address.scheme not in ("", "http"):
        raise ClusterUnreachable(
            f"Cannot use etcd at {url}: discovery supports plain HTTP only. Use http://127.0.0.1:2379 on a machine "
            "of the cluster, or run this in a container, where FLEETCAPTAIN_ETCD names etcd."
        )
    return address.hostname or "", address.port or 2379


def _unreachable(url: str, problem: str) -> ClusterUnreachable:
    host, port = _place(url)
    return ClusterUnreachable(
        f"Could not reach etcd at {f'http://{host}:{port}' if host else url}: {problem}. Check the address "
        "(FLEETCAPTAIN_ETCD, or --etcd) and that the cluster has a quorum."
    )
