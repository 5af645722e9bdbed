"""A pretended machine for the shell lines: stub commands on PATH, a folder of files, and etcd's v2 keys over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fleetcaptain.units.place import Place
from tests.unit.units.systemd import command

__all__ = ["ADDRESS", "UNIT", "FakeEtcd", "PretendedMachine"]

UNIT = "app_server@1.service"
ADDRESS = "127.0.0.1"
SPECIFIERS = {"n": UNIT, "p": "app_server", "i": "1", "m": "machine-a"}


@dataclass
class FakeEtcd:
    """The part of etcd 3.5's v2 keys API that the lines use: prevValue, prevExist, refresh, TTL, 404 and 412."""

    keys: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    failures: int = 0

    def answer(self, verb: str, key: str, form: dict[str, str]) -> int:
        """The status of one request, after its effect."""
        self.requests.append((verb, key, form))
        if self.failures:
            self.failures -= 1
            return 500
        there = key in self.keys
        if verb == "GET":
            return 200
        if form.get("prevExist") == "false" and there:
            return 412
        if not there and (verb == "DELETE" or "prevValue" in form or form.get("refresh")):
            return 404
        if "prevValue" in form and form["prevValue"] != self.keys[key]:
            return 412
        if verb == "DELETE":
            del self.keys[key]
        elif not form.get("refresh"):
            self.keys[key] = form["value"]
        return 200


class PretendedMachine:
    """Runs what systemd would run. *sleep* on it takes no time; *docker* and *systemctl* do what a test says."""

    def __init__(self, folder: Path) -> None:
        self.etcd = FakeEtcd()
        self.server = _serve(self.etcd)
        self.url = f"http://{ADDRESS}:{self.server.server_port}"
        self.folder = folder
        self.place = Place(run=f"{folder}/run", units=f"{folder}/units", etcd=f"{self.url}/v2/keys")
        for name in ("run", "units", "bin"):
            (folder / name).mkdir()
        self.stub("sleep", "exit 0")

    def stub(self, name: str, script: str) -> None:
        """Put a command of that *name*, an ``sh`` script, first on PATH."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, value: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the ``Exec...=`` *value* with systemd's specifiers for `UNIT`."""
        argv = [word.replace("/usr/bin/docker", "docker") for word in command(value, SPECIFIERS)]
        known = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "COREOS_PRIVATE_IPV4": ADDRESS,
            "MAINPID": str(os.getpid()),
        }
        return subprocess.run(argv, env={**known, **env}, capture_output=True, text=True, check=False, timeout=30)

    def close(self) -> None:
        """End the pretended etcd."""
        self.server.shutdown()
        self.server.server_close()


def _serve(etcd: FakeEtcd) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            # As etcd, whose Go server reads a form from the body of a PUT, but never of a DELETE.
            pairs = parse_qs(f"{url.query}&{body if self.command == 'PUT' else ''}", keep_blank_values=True)
            form = {name: values[0] for name, values in pairs.items() if name}
            status = etcd.answer(self.command, unquote(url.path).removeprefix("/v2/keys"), form)
            answer = json.dumps({"errorCode": status}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_PUT = do_DELETE = do_GET = _handle  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer((ADDRESS, 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
