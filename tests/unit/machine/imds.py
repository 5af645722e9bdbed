"""Runs a machine's scripts where there is no EC2: a metadata service on the loopback, and stubs for what needs root."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from fleetcaptain.machine.definition import File

__all__ = ["METADATA", "Pretended", "script"]

METADATA: Mapping[str, str] = {
    "local-ipv4": "10.71.0.50",
    "public-ipv4": "203.0.113.50",
    "instance-id": "i-0abc",
    "tags/instance/aws:autoscaling:groupName": "cluster-workers-1a2b3c4",
    "placement/availability-zone": "eu-west-1b",
    "iam/security-credentials/": "workers",
    "iam/security-credentials/workers": json.dumps(
        {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "se/cret+", "Token": "session=="}
    ),
}
"""The metadata of a worker."""

_TOKEN = "metadata-token"  # noqa: S105  nobody's
_STUB = '#!/bin/sh\nprintf "%s %s\\n" "$(basename "$0")" "$*" >> {log}\n{more}\n'


class Pretended:
    """A machine in *folder* whose metadata service knows *metadata* (path -> text). It answers version 2 only, and
    plays ECR and Auto Scaling too. *said*: the headers of the requests to them, *bodies* their bodies. The first
    *refused* of them fail."""

    def __init__(self, folder: Path, metadata: Mapping[str, str]) -> None:
        self.folder, self.metadata = folder, metadata
        self.said: list[dict[str, str]] = []
        self.bodies: list[str] = []
        self.refused = 0
        self._log = folder / "log"
        self._bin = folder / "bin"
        self._bin.mkdir()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where all of them answer."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def calls(self) -> list[str]:
        """The stubs that were called, with their words."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def stub(self, name: str, more: str = "") -> None:
        """A command that notes its call; *more* is what else it does, in sh."""
        path = self._bin / name
        path.write_text(_STUB.format(log=self._log, more=more))
        path.chmod(0o755)

    def run(self, script: str, moved: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run *script* with the metadata service here, and the paths *moved* in the folder instead of their places."""
        text = script.replace("http://169.254.169.254", self.url)
        for path, name in moved.items():
            assert path in text, path
            text = text.replace(path, str(self.folder / name))
        environ = {**os.environ, "PATH": f"{self._bin}:{os.environ['PATH']}:/usr/sbin:/sbin"}
        return subprocess.run(
            ["/bin/sh", "-c", text], env=environ, capture_output=True, text=True, timeout=120, check=False
        )


def script(files: tuple[File, ...]) -> str:
    """The text of the only script among *files*."""
    (found,) = [file for file in files if file.mode == 0o755]
    return found.text


def _handler(machine: Pretended) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            right = self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
            self._send(200 if right else 404, _TOKEN)

        def do_GET(self) -> None:
            path = self.path.removeprefix("/latest/meta-data/")
            if self.headers.get("X-aws-ec2-metadata-token") != _TOKEN:
                self._send(401, "")
            else:
                self._send(200 if path in machine.metadata else 404, machine.metadata.get(path, ""))

        def do_POST(self) -> None:
            machine.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            machine.said.append(dict(self.headers))
            refused = len(machine.said) <= machine.refused
            self._send(400 if refused else 200, json.dumps({"authorizationData": [{"authorizationToken": "QVdTOnB3"}]}))

        def log_message(self, *_: Any) -> None:
            pass

        def _send(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

    return Handler
