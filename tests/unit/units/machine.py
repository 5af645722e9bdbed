"""A pretended machine for the shell lines: stub commands on PATH, a folder of files, and etcd's v2 keys over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fleetcaptain.units.place import Place
from tests.unit.units.systemd import command

__all__ = ["ADDRESS", "MACHINE_ID", "RUN", "UNIT", "FakeEtcd", "PretendedMachine", "made_by_app"]

UNIT = "app_server@1.service"
ADDRESS = "127.0.0.1"
MACHINE_ID = "machine-a"
RUN = "0123456789abcdef"
SPECIFIERS = {"n": UNIT, "p": "app_server", "i": "1", "m": MACHINE_ID}


@dataclass
class FakeEtcd:
    """The part of etcd 3.5's v2 keys API that the lines use: prevValue, prevIndex, prevExist, refresh, 404, 412."""

    keys: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    failures: int = 0

    @property
    def writes(self) -> list[tuple[str, str, dict[str, str]]]:
        """The requests that change something."""
        return [request for request in self.requests if request[0] != "GET"]

    def answer(self, verb: str, key: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The status and the body of one request, after its effect."""
        self.requests.append((verb, key, form))
        if self.failures:
            self.failures -= 1
            return 500, {"errorCode": 300}
        if not key.startswith("/fleetcaptain/"):
            return 200, {}  # the service itself, which these tests let answer on the same port
        there = key in self.keys
        refused = self._refused(verb, key, form)
        if refused:
            return refused, {"errorCode": refused}
        if verb == "GET":
            return 200, {"action": "get", "node": self._node(key)}
        if verb == "DELETE":
            del self.keys[key]
        elif not form.get("refresh"):
            self.keys[key] = form["value"]
        return 200 if there else 201, {"action": verb.lower()}

    def _refused(self, verb: str, key: str, form: dict[str, str]) -> int:
        there, compared = key in self.keys, "prevValue" in form or "prevIndex" in form
        if form.get("prevExist") == "false" and there:
            return 412
        if not there and (verb in ("DELETE", "GET") or compared or form.get("refresh")):
            return 404
        return 412 if compared and not self._same(key, form) else 0

    def _same(self, key: str, form: dict[str, str]) -> bool:
        value = self.keys[key]
        return form.get("prevValue", value) == value and form.get("prevIndex", self._index(key)) == self._index(key)

    def _index(self, key: str) -> str:
        return str(zlib.crc32(self.keys[key].encode()))

    def _node(self, key: str) -> dict[str, Any]:
        index = int(self._index(key))
        return {"key": key, "value": self.keys[key], "ttl": 60, "modifiedIndex": index, "createdIndex": 1}


def made_by_app(lease: str = "app", machine: str = MACHINE_ID, run: str = RUN, **more: Any) -> str:
    """A registration as an app writes it: machine, lease and run first."""
    members = {"machine": machine, "lease": lease, "run": run, "service": "app_server", **more}
    return json.dumps(members, separators=(",", ":"))


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
            "INVOCATION_ID": RUN,
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
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            # As etcd, whose Go server reads a form from the body of a PUT, but never of a DELETE.
            pairs = parse_qs(f"{url.query}&{sent if self.command == 'PUT' else ''}", keep_blank_values=True)
            form = {name: values[0] for name, values in pairs.items() if name}
            status, body = etcd.answer(self.command, unquote(url.path).removeprefix("/v2/keys"), form)
            answer = json.dumps(body, separators=(",", ":")).encode()
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
