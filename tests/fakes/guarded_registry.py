"""A registry on the loopback that requires a login, and the token server that it may name."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["GuardedRegistry", "guarded_registry"]

_OCI = "application/vnd.oci.image"


class GuardedRegistry(http.server.ThreadingHTTPServer):
    """Has the image *image* of the repository ``acme/db`` for *user* with *password*.

    *realm*: the URL of its token server, "" for HTTP Basic, as with a file of htpasswd. The registry itself is one:
    *token_url*. *requests*: the path and the Authorization header of each request so far.
    """

    user, password = "acme", 'geheim"\\'

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.realm = ""
        self.redirect = ""
        self.token = "abc.DEF-123"  # noqa: S105  what its token server gives
        self.requests: list[tuple[str, str]] = []
        self.blobs: dict[str, tuple[str, bytes]] = {}
        config = {"architecture": "amd64", "os": "linux", "config": {"Volumes": {"/data": {}}}}
        described = self._put(f"{_OCI}.config.v1+json", {**config, "rootfs": {"type": "layers", "diff_ids": []}})
        manifest = {"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json", "config": described, "layers": []}
        self.digest = str(self._put(f"{_OCI}.manifest.v1+json", manifest)["digest"])
        self.blobs["1"] = self.blobs[self.digest]

    def _put(self, kind: str, data: Any) -> dict[str, Any]:
        blob = json.dumps(data).encode()
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        self.blobs[digest] = kind, blob
        return {"mediaType": kind, "digest": digest, "size": len(blob)}

    @property
    def host(self) -> str:
        """The registry in references."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def image(self) -> str:
        """The reference of the image, by its tag."""
        return f"{self.host}/acme/db:1"

    @property
    def token_url(self) -> str:
        """The URL of the registry's own token server."""
        return f"http://{self.host}/token"

    @property
    def basic(self) -> str:
        """The header of the login."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"

    @property
    def credentials(self) -> list[tuple[str, str]]:
        """The requests that had the login: their path and header."""
        return [one for one in self.requests if one[1]]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: GuardedRegistry

    def do_HEAD(self) -> None:
        """The headers alone."""
        self._answer()

    def do_GET(self) -> None:
        """A manifest, a configuration, or a token."""
        if urlsplit(self.path).path == "/token":
            self.wfile.write(self._token())
        else:
            self.wfile.write(self._answer())

    def do_POST(self) -> None:
        """OAuth2, which few token servers have: docker then asks again with GET."""
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(405)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _token(self) -> bytes:
        server, asked = self.server, parse_qs(urlsplit(self.path).query)
        header = self._record()
        if server.redirect:
            self.send_response(307)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return b""
        known = header == server.basic and asked["scope"] == ["repository:acme/db:pull"]
        blob = json.dumps({"expires_in": 300, "token": server.token} if known else {"details": "denied"}).encode()
        self.send_response(200 if known and asked["service"] == ["acme's registry"] else 401)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        return blob

    def _answer(self) -> bytes:
        server, header = self.server, self._record()
        kind, blob = server.blobs.get(self.path.rpartition("/")[2], ("application/json", b""))
        if header != (f"Bearer {server.token}" if server.realm else server.basic):
            self.send_response(401)
            scope = ',scope="repository:acme/db:pull"'
            bearer = f'Bearer realm="{server.realm}",service="acme\'s registry"{scope}'
            self.send_header("WWW-Authenticate", bearer if server.realm else 'Basic realm="acme"')
            kind, blob = "application/json", b"{}"
        elif blob or self.path == "/v2/":
            self.send_response(200)
        else:
            self.send_response(404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        return blob

    def _record(self) -> str:
        header = self.headers["Authorization"] or ""
        self.server.requests.append((self.path, header))
        return header

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def guarded_registry() -> Iterator[GuardedRegistry]:
    """The registry, while it serves."""
    with GuardedRegistry() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
