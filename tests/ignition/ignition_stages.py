"""What a machine on EC2 does at its first boot before systemd starts: Ignition's stages, in namespaces of their own.

Run by `test_ignition_stages.py` as root below `unshare --net --mount`. The metadata service and S3 answer on the
loopback, at the addresses that Ignition asks.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_METADATA = "169.254.169.254"
_STAGES = ("fetch-offline", "fetch", "files")
_ROLE = "members"
_CREDENTIALS = {
    "Code": "Success",
    "Type": "AWS-HMAC",
    "AccessKeyId": "AKIAEXAMPLE",
    "SecretAccessKey": "secret",
    "Token": "session",
    "Expiration": "2099-01-01T00:00:00Z",
    "LastUpdated": "2026-01-01T00:00:00Z",
}
_TOKEN = "metadata-token"  # noqa: S105  a stand-in's
_TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}


class _Quiet(BaseHTTPRequestHandler):
    folder: Path

    def log_message(self, *_: Any) -> None:
        """The requests that matter are written down by `record`."""

    def record(self, kind: str) -> None:
        """Add the request to the list that the test reads."""
        with (self.folder / "requests").open("a") as file:
            signed = self.headers.get("Authorization", "").partition(" ")[0]
            file.write(f"{kind} {self.command} {self.headers.get('Host')} {self.path} {signed}\n")

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send it."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Metadata(_Quiet):
    """Version 2 only: without a token it refuses."""

    def do_PUT(self) -> None:
        self.record("imds")
        self.answer(200, _TOKEN.encode(), **_TTL)

    def do_GET(self) -> None:
        self.record("imds")
        if self.headers.get("X-aws-ec2-metadata-token") != _TOKEN:
            return self.answer(401)
        credentials = "/meta-data/iam/security-credentials/"
        answers = {
            "/user-data": (self.folder / "user-data").read_bytes(),
            credentials: _ROLE.encode(),
            f"{credentials}{_ROLE}": json.dumps(_CREDENTIALS).encode(),
            "/meta-data/placement/region": b"eu-west-1",
            "/meta-data/placement/availability-zone": b"eu-west-1a",
            "/meta-data/services/partition": b"aws",
        }
        for path, body in answers.items():
            if self.path.endswith(path):
                return self.answer(200, body)
        return self.answer(404)


class _S3(_Quiet):
    """One bucket. Who asks without a signature learns its region, and nothing else."""

    def do_HEAD(self) -> None:
        self.record("s3")
        self.answer(403, X_Amz_Bucket_Region="eu-west-1")

    def do_GET(self) -> None:
        self.record("s3")
        file = self.folder / "objects" / self.path.partition("?")[0].lstrip("/")
        if not self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256"):
            return self.answer(403)
        if self.headers.get("X-Amz-Security-Token") != _CREDENTIALS["Token"] or not file.is_file():
            return self.answer(403)
        return self.answer(200, file.read_bytes(), X_Amz_Bucket_Region="eu-west-1")


def main(folder: Path, program: str) -> int:
    """Boot the machine of *folder*: its ``user-data``, the ``objects`` of its bucket, ``hosts``, ``cert.pem``,
    ``key.pem``, ``authority.pem`` and its root ``sysroot``. The exit code is that of the first stage that fails."""
    for argv in (("ip", "link", "set", "lo", "up"), ("ip", "address", "add", f"{_METADATA}/32", "dev", "lo")):
        subprocess.run(argv, check=True)
    subprocess.run(["mount", "--bind", str(folder / "hosts"), "/etc/hosts"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    _Quiet.folder = folder
    bucket = ThreadingHTTPServer(("127.0.0.1", 443), _S3)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    bucket.socket = context.wrap_socket(bucket.socket, server_side=True)
    for server in (bucket, ThreadingHTTPServer((_METADATA, 80), _Metadata)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    environ = {**os.environ, "SSL_CERT_FILE": str(folder / "authority.pem")}
    common = [program, "-platform", "aws", "-root", str(folder / "sysroot"), "-log-to-stdout"]
    for stage in _STAGES:
        more = ["-stage", stage, "-config-cache", "/run/ignition.json", "-neednet", "/run/neednet"]
        code = subprocess.run([*common, *more], env=environ, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
