"""etcd's v2 keys through python-etcd, for deployments."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import etcd
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers

from fleetcaptain.discovery.access import ROOT
from fleetcaptain.discovery.etcd_node import Node
from fleetcaptain.discovery.keys import CURL, DEPTH, path_of
from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError
from fleetcaptain.net.http_request import Ask
from fleetcaptain.net.pools import LOCAL_URL, Pools, socket_of

__all__ = ["EtcdStore", "Node", "new_client"]

_T = TypeVar("_T")

_TIMEOUT_SEC = 5
_TRIES = 8
_PAUSE_SEC = 1.0
_HTTP_PORT = 80
# Services are rolled out in threads that share a store. More of them at once close theirs after the call.
_KEPT = 8


class EtcdStore:
    """Reads and writes v2 keys.

    *url* returns the address, ``http://<host>:<port>`` or ``unix://<path of a socket>``, before each try, so that a
    broken tunnel can be replaced. *mark_unreachable* gets each address that did not answer, so that *url* can return
    another one. *password* returns the password of etcd's superuser; "" if none is needed or known.

    Every call is tried for about eight seconds, longer than the election of a leader. Raises ClusterUnreachable when
    etcd does not answer by then or its answer is too long; FleetCaptainError when etcd refuses the call, such as for a
    key below another key.
    """

    def __init__(
        self,
        url: Callable[[], str],
        sleep: Callable[[float], None] = time.sleep,
        mark_unreachable: Callable[[str], None] = lambda _url: None,
        password: Callable[[], str] = lambda: "",
    ) -> None:
        self._url = url
        self._sleep = sleep
        self._leave = mark_unreachable
        self._password = password
        # A client keeps its connections: through a tunnel each costs a channel and a handshake.
        self._client = lru_cache(maxsize=1)(new_client)

    def read(self, key: str) -> Node | None:
        """The node at *key*, or None when there is none."""

        def call(client: Any) -> Node | None:
            try:
                return _node(client.read(key))
            except etcd.EtcdKeyNotFound:
                return None

        return self._call(f"read {key}", call)

    def below(self, directory: str) -> tuple[Node, ...]:
        """Every key below *directory*, at any depth, sorted by name. A directory that is nested too deep to be read is
        a key without a value, see `DEPTH`."""

        def call(client: Any) -> tuple[Node, ...]:
            try:
                found = _leaves(client, directory, DEPTH)
            except etcd.EtcdKeyNotFound:
                return ()
            return tuple(_node(leaf) for leaf in sorted(found, key=lambda leaf: leaf.key))

        return self._call(f"list {directory}", call)

    def write(self, key: str, value: str, ttl_sec: int | None = None) -> None:
        """Set *key* to *value*, for *ttl_sec* seconds or without expiry."""
        self._call(f"write {key}", lambda client: client.write(key, value, ttl=ttl_sec))

    def create(self, key: str, value: str, ttl_sec: int | None = None) -> bool:
        """Set *key* only if it does not exist; returns whether it was set."""

        def call(client: Any) -> bool:
            try:
                client.write(key, value, ttl=ttl_sec, prevExist=False)
            except etcd.EtcdAlreadyExist:
                return False
            return True

        return self._call(f"create {key}", call)

    def swap(self, key: str, old: Node, value: str, ttl_sec: int | None = None) -> bool:
        """Set *key* only if it has not changed since *old* was read; returns whether it was set."""

        def call(client: Any) -> bool:
            try:
                client.write(key, value, ttl=ttl_sec, prevIndex=old.index)
            except (etcd.EtcdCompareFailed, etcd.EtcdKeyNotFound):
                return False
            return True

        return self._call(f"change {key}", call)

    def hold(self, key: str, value: str, ttl_sec: int) -> bool:
        """Renew *key* for *ttl_sec* seconds only if it still has this *value*; returns whether it was renewed."""

        def call(client: Any) -> bool:
            try:
                client.write(key, value, ttl=ttl_sec, prevValue=value)
            except (etcd.EtcdCompareFailed, etcd.EtcdKeyNotFound):
                return False
            return True

        return self._call(f"hold {key}", call)

    def let_go(self, key: str, value: str) -> None:
        """Remove *key* only if it still has this *value*."""

        def call(client: Any) -> None:
            try:
                client.delete(key, prevValue=value)
            except (etcd.EtcdCompareFailed, etcd.EtcdKeyNotFound):
                return

        self._call(f"let go of {key}", call)

    def delete(self, key: str, recursive: bool = False) -> None:
        """Remove *key*, or the directory *key* and everything below it; a missing key is no error."""

        def call(client: Any) -> None:
            try:
                client.delete(key, recursive=recursive, dir=recursive)
            except etcd.EtcdKeyNotFound:
                return

        self._call(f"delete {key}", call)

    def request(self, method: str, path: str, body: str) -> tuple[int, str]:
        """Send a request that is not about a key, with a JSON *body*; returns status and text. The request may be sent
        more than once."""
        return self._asked(method, path, body)

    def bearing(self, token: str) -> Ask:
        """As `request`, with a *token* of the v3 API, which accepts neither passwords nor certificates over HTTP."""
        return lambda method, path, body: self._asked(method, path, body, token)

    def _asked(self, method: str, path: str, body: str, token: str = "") -> tuple[int, str]:
        def call(client: Any) -> tuple[int, str]:
            url, headers = f"{client.base_uri}{path}", {"Content-Type": "application/json"}
            if token:
                headers["Authorization"] = token
            elif client.password and path.startswith("/v2/"):
                headers |= make_headers(basic_auth=f"{client.username}:{client.password}")
            try:
                answer = client.http.request(method, url, body=body, headers=headers, timeout=_TIMEOUT_SEC)
            except (HTTPError, OSError) as error:
                raise etcd.EtcdConnectionFailed(str(error)) from error
            return answer.status, (answer.data or b"").decode(errors="replace")

        return self._call(f"{method} {path}", call)

    def _call(self, what: str, call: Callable[[Any], _T]) -> _T:
        try:
            return self._tried(what, call)
        except (etcd.EtcdKeyError, etcd.EtcdValueError) as error:
            raise FleetCaptainError(
                f"etcd refused to {what}: {error}. An unexpected key is there or above it. Look at it with "
                f"`{CURL} http://127.0.0.1:2379/v2/keys/...` on a machine of the cluster, remove it, then run the same "
                "command again."
            ) from error

    def _tried(self, what: str, call: Callable[[Any], _T]) -> _T:
        last, refused = "", False
        for attempt in range(_TRIES):
            if attempt:
                self._sleep(_PAUSE_SEC)
            url = self._url()
            try:
                return call(self._client(url, self._password()))
            except (etcd.EtcdKeyError, etcd.EtcdValueError):
                raise
            except etcd.EtcdException as error:
                last, refused = str(error), isinstance(error, etcd.EtcdInsufficientPermissions)
                # Also when refused: a machine that has just booted may not have its socket for root yet.
                self._leave(url)
        if refused:
            raise FleetCaptainError(
                f"etcd refused to {what}: {last}. The cluster is secured, and this connection has only the rights of a "
                "container. Use the connection of the stack, or `unix:///run/etcd.sock` on a machine."
            )
        raise ClusterUnreachable(
            f"etcd did not {what} within {_TRIES} tries: {last}. Check its quorum with `etcdctl endpoint health` on a "
            "machine of the cluster, then run the same command again; nothing is lost."
        )


class _Client(etcd.Client):  # type: ignore[misc]
    """python-etcd's client, but with quoted keys in its URLs."""

    def api_execute(self, path: str, method: str, params: Any = None, timeout: Any = None) -> Any:
        return super().api_execute(path_of(path.removeprefix(self.key_endpoint)), method, params, timeout)


def new_client(url: str, password: str = "") -> etcd.Client:
    """A client for *url*, over TCP or a unix socket, with quoted keys, answers of limited size and no redirects; as the
    superuser if there is a *password*."""
    path = socket_of(url)
    address = urlsplit(LOCAL_URL if path else url)
    client = _Client(
        host=address.hostname,
        port=address.port or _HTTP_PORT,
        read_timeout=_TIMEOUT_SEC,
        allow_redirect=False,
        allow_reconnect=False,
        username=ROOT if password else None,
        password=password or None,
    )
    client.http = Pools(path, _KEPT)
    return client


def _node(result: Any) -> Node:
    return Node(result.key, result.value or "", int(result.modifiedIndex))


def _leaves(client: Any, directory: str, depth: int) -> list[Any]:
    """The keys below *directory*. A directory *depth* levels below it that is too deep to be read counts as a key."""
    try:
        # An empty directory is its own only leaf, hence the test for `dir`.
        return [leaf for leaf in client.read(directory, recursive=True).leaves if not leaf.dir]
    except RecursionError:
        below = client.read(directory).children
    found = []
    for child in below:
        found += _leaves(client, child.key, depth - 1) if child.dir and depth else [child]
    return found
