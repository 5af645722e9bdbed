"""HTTP through a unix socket, for `requests`."""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

__all__ = ["UnixAdapter"]


class _Connection(HTTPConnection):
    path = ""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
        self.sock.connect(self.path)


class _Pool(HTTPConnectionPool):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.ConnectionCls = type("Connection", (_Connection,), {"path": path})


class UnixAdapter(HTTPAdapter):
    """Sends every request to the socket at *path*, whatever host its URL names."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._pool = _Pool(path)

    def get_connection_with_tls_context(self, *_args: Any, **_more: Any) -> HTTPConnectionPool:
        """The one pool that there is."""
        return self._pool

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()
        super().close()
