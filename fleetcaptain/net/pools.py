"""HTTP through a unix socket or TCP for `requests` and python-etcd, which both use urllib3."""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse, PoolManager
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from fleetcaptain.net.body import CHUNK_BYTES, read_body

__all__ = ["LOCAL_URL", "UNIX", "Pools", "UnixAdapter", "socket_of"]

UNIX = "unix://"
"""The scheme of a socket's address; the path follows."""

LOCAL_URL = "http://localhost"
"""The base URL of a request through a socket."""


def socket_of(url: str) -> str:
    """The path of the socket in *url*; "" when it is no socket's."""
    return url.removeprefix(UNIX) if url.startswith(UNIX) else ""


class _Connection(HTTPConnection):
    path = ""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
        self.sock.connect(self.path)


class Pools(PoolManager):
    """Connections to the socket at *path*, for every URL; with an empty *path*, to the host of the URL.

    `urlopen` reads the whole answer, up to a limit. It tries once: urllib3's own retries wait as long as an answer
    demands. Up to *kept* connections to each host stay open.
    """

    def __init__(self, path: str = "", kept: int = 1) -> None:
        super().__init__(retries=False, maxsize=kept)
        if path:
            connection = type("Connection", (_Connection,), {"path": path})
            self.pool_classes_by_scheme = {"http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": connection})}

    def urlopen(self, method: str, url: str, redirect: bool = False, **more: Any) -> HTTPResponse:  # type: ignore[override]
        """Send the request. Raises ClusterUnreachable when the answer is too long."""
        response = super().urlopen(method, url, redirect=redirect, **{**more, "preload_content": False})
        try:
            content = read_body(response.stream(CHUNK_BYTES), f"{method} {url}")
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return HTTPResponse(content, response.headers, response.status)


class UnixAdapter(HTTPAdapter):
    """Sends every request of a session to the socket at *path*."""

    def __init__(self, path: str) -> None:
        self._path = path
        super().__init__()

    def init_poolmanager(self, *_args: Any, **_settings: Any) -> None:
        """Create the pools, which `HTTPAdapter` closes."""
        self.poolmanager = Pools(self._path)
