"""The etcd that machines run, alone, on loopback ports that were free."""

from __future__ import annotations

import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fleetcaptain.localcluster.certificates import ensure_authority, ensure_machine_pair, ensure_user_pair
from fleetcaptain.machine.definition import Machine, Member
from fleetcaptain.machine.etcd_units import etcd_unit
from fleetcaptain.machine.tls import USERS

__all__ = ["GRPC", "GUEST", "TLS", "as_on_a_machine", "free_ports", "running", "started"]

GUEST, TLS, PEER, GRPC = "2379", "2378", "2380", "2381"
"""The ports of a machine's etcd."""

_MACHINE = Machine("m1", "127.0.0.2", (Member("m1", "127.0.0.2"),), (), (), tls=True)


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
    with started(folder, program, options) as process:
        _wait(process, url, folder / "log")
        yield url


@contextmanager
def started(folder: Path, program: Path, options: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """An etcd with *options* whose data is in *folder*, and its lines in the file ``log``, until the block ends."""
    all_ = {**options, "data-dir": str(folder / "data"), "unsafe-no-fsync": "true"}
    with (folder / "log").open("w") as written:
        argv = [str(program), *(f"--{name}={value}" for name, value in all_.items())]
        with subprocess.Popen(argv, stdout=written, stderr=subprocess.STDOUT, cwd=folder) as process:
            try:
                yield process
            finally:
                process.terminate()


@contextmanager
def as_on_a_machine(folder: Path, program: Path, users: Collection[str] = USERS) -> Iterator[Mapping[str, str]]:
    """Where the ports are, here, of an etcd with the options that a member has, and the certificates of itself and of
    *users* in *folder*/tls."""
    tls = folder / "tls"
    ensure_authority(tls, "test")
    cert, key = ensure_machine_pair(tls, "m1", "127.0.0.2")
    (tls / "cert.pem").write_bytes(cert)
    (tls / "key.pem").write_bytes(key)
    for user in users:
        ensure_user_pair(tls, user)
    ports = dict(zip((GUEST, TLS, PEER, GRPC), map(str, free_ports(4)), strict=True))
    settings = re.findall(r"Environment=ETCD_(\w+)=(.*)", etcd_unit(_MACHINE))
    options = {
        name.lower().replace("_", "-"): re.sub(
            r"(?<=:)\d+\b", lambda port: ports[port[0]], value.replace("/etc/fleetcaptain/tls", str(tls))
        )
        for name, value in settings
    }
    with running(folder, program, options):
        yield ports


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
    """Ports that are free now, at any address of this machine; all are held until all are found."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]
