"""The etcd that machines run, alone, on loopback ports that were free."""

from __future__ import annotations

import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

__all__ = ["free_ports", "running"]


@contextmanager
def running(folder: Path, program: Path, options: Mapping[str, str] | None = None) -> Iterator[str]:
    """The URL of an empty etcd whose data is in *folder*, until the block ends. *options*: etcd's, without them it
    listens at two ports that are free."""
    if options is None:
        client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
        options = {
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "enable-v2": "true",
        }
    url = options.get("listen-client-http-urls", options["listen-client-urls"]).partition(",")[0]
    all_ = {**options, "data-dir": str(folder / "data"), "unsafe-no-fsync": "true"}
    log = folder / "log"
    with log.open("w") as written:
        argv = [str(program), *(f"--{name}={value}" for name, value in all_.items())]
        with subprocess.Popen(argv, stdout=written, stderr=subprocess.STDOUT, cwd=folder) as process:
            try:
                _wait(process, url, log)
                yield url
            finally:
                process.terminate()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return when a key can be written: then there is a leader."""
    request = urllib.request.Request(f"{url}/v2/keys/ready?value=1", method="PUT")  # noqa: S310 - a loopback address
    while process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310 - a loopback address
                return
        except (urllib.error.URLError, OSError):
            continue
    raise AssertionError(f"etcd ended: {log.read_text()}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now; all are held until all are found."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
