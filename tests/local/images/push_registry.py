"""A registry on the loopback that takes what docker pushes, and shows all of it."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["PushRegistry", "push_registry"]


class PushRegistry(http.server.ThreadingHTTPServer):
    """*blobs*: digest -> bytes of each layer, configuration and manifest; *tags*: tag -> digest of its manifest;
    *uploads*: the path of an upload -> what it has so far."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.uploads: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        """The host and port."""
        return f"127.0.0.1:{self.server_port}"

    def put(self, blob: bytes, kind: str = "application/octet-stream") -> str:
        """Store *blob*; its digest."""
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        self.blobs[digest], self.types[digest] = blob, kind
        return digest

    def document(self, digest: str) -> dict[str, Any]:
        """A manifest or a configuration."""
        found: dict[str, Any] = json.loads(self.blobs[digest])
        return found

    def texts(self) -> bytes:
        """All blobs in one, the layers unpacked."""
        return b"\n".join(
            zlib.decompress(blob, zlib.MAX_WBITS | 32) if blob.startswith(b"\x1f\x8b") else blob
            for blob in self.blobs.values()
        )


class _Handler(http.server.BaseHTTPRequestHandler):
    server: PushRegistry
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Whether a blob or a manifest exists."""
        self._stored()

    def do_GET(self) -> None:
        """A blob or a manifest."""
        self.wfile.write(self._stored())

    def do_POST(self) -> None:
        """The start of an upload."""
        self._answer(202, Location=f"{urlsplit(self.path).path.rstrip('/')}/{uuid.uuid4()}")

    def do_PATCH(self) -> None:
        """A piece of a blob."""
        path = urlsplit(self.path).path
        self.server.uploads[path] = self.server.uploads.get(path, b"") + b"".join(self._pieces())
        self._answer(202, Location=path, Range=f"0-{len(self.server.uploads[path]) - 1}")

    def do_PUT(self) -> None:
        """The end of a blob, or a manifest."""
        path, kind = urlsplit(self.path), self.headers.get("Content-Type", "")
        digest = self.server.put(self.server.uploads.pop(path.path, b"") + b"".join(self._pieces()), kind)
        if "/manifests/" in path.path:
            self.server.tags[path.path.rpartition("/")[2]] = digest
        elif parse_qs(path.query)["digest"] != [digest]:
            self._answer(400)
            return
        self._answer(201, Location=path.path, Docker_Content_Digest=digest)

    def _pieces(self) -> Iterator[bytes]:
        """The body of the request, which has a length or comes in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length", "0")))
            return
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _stored(self) -> bytes:
        name = self.path.rpartition("/")[2]
        digest = self.server.tags.get(name, name)
        blob = self.server.blobs.get(digest, b"")
        there = bool(blob) or self.path == "/v2/"
        self._answer(
            200 if there else 404,
            length=len(blob),
            Docker_Content_Digest=digest,
            Content_Type=self.server.types.get(digest, "application/json"),
        )
        return blob

    def _answer(self, code: int, length: int = 0, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def push_registry() -> Iterator[PushRegistry]:
    """A registry without anything in it, as long as the context."""
    with PushRegistry() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
