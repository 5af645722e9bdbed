"""The machines that no cloud started: a fake fleet, a real etcd, and an ``ssh`` that leads to both."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fleetcaptain.discovery.keys import registration_key
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.unit_text import serialize
from tests.fakes.fleet.fake_fleet import Cluster
from tests.fakes.fleet.fleet_server import FakeFleet
from tests.local.etcd.etcd_process import GUEST, TLS, as_on_a_machine

__all__ = ["environ"]

_BIN = Path(__file__).resolve().parents[2] / "fakes" / "bin"
_TICK_SEC = 0.1
_PORTS = re.compile(r"-p (\d+)(?:-\d+)?:(\d+)")


@contextmanager
def environ(folder: Path, etcd: Path, addresses: Sequence[str]) -> Iterator[dict[str, str]]:
    """What a process needs in its environment to meet machines with *addresses* by ssh, whatever host it names. There
    may be more of them later.

    Each unit that fleet starts registers itself, as the real ones do, and is taken back when it is gone.
    """
    with as_on_a_machine(folder, etcd) as ports, FakeFleet(Cluster(_machines(addresses))) as fleet:
        url = f"http://127.0.0.1:{ports[GUEST]}"
        done = threading.Event()
        life = threading.Thread(target=_live, args=(fleet, addresses, url, done), daemon=True)
        life.start()
        try:
            yield {
                "PATH": os.pathsep.join([str(_BIN), str(etcd.parent), os.environ["PATH"]]),
                "FAKE_FLEET": fleet.url.removeprefix("http://"),
                "FAKE_ETCD": url.removeprefix("http://"),
                "FAKE_ETCD_ROOT": f"127.0.0.1:{ports[TLS]}",
                "FAKE_ETCD_TLS": str(folder / "tls"),
                # The preflight asks for this computer's address, which is no part of the story.
                "https_proxy": "http://127.0.0.1:9",
                "no_proxy": "127.0.0.1,localhost",  # gRPC takes the proxy too
            }
        finally:
            done.set()
            life.join()


def _machines(addresses: Sequence[str]) -> tuple[Machine, ...]:
    return tuple(Machine(f"{number:032x}", address, {}) for number, address in enumerate(addresses, 1))


def _live(fleet: FakeFleet, addresses: Sequence[str], etcd: str, done: threading.Event) -> None:
    registered: dict[str, str] = {}
    while not done.wait(_TICK_SEC):
        fleet.cluster.machines = _machines(addresses)
        wanted = _registrations(fleet)
        for key in registered.keys() - wanted.keys():
            _ask(f"{etcd}/v2/keys{key}", "DELETE")
        for key, value in wanted.items():
            if registered.get(key) != value:
                _ask(f"{etcd}/v2/keys{key}", "PUT", urllib.parse.urlencode({"value": value}).encode())
        registered = wanted


def _registrations(fleet: FakeFleet) -> dict[str, str]:
    hosts = {machine.id: machine.ip for machine in fleet.cluster.machines}
    found = {}
    for (unit, machine), row in fleet.step().items():
        stored = fleet.cluster.units.get(unit)
        text = serialize(stored.options) if stored else ""
        mark = UnitFile.parse(text).mark
        if row.active == "active" and mark is not None:
            ports = {inside: int(outside) for outside, inside in _PORTS.findall(text)}
            value: dict[str, Any] = {
                "service": mark.service,
                "unit": unit,
                "content": row.unit_hash,
                "machine": machine,
            }
            connection = {"host": hosts[machine], "port": next(iter(ports.values()), None)}
            value |= {"host": hosts[machine], "ports": ports, "connection": connection}
            found[registration_key(mark.app, mark.service, unit)] = json.dumps(value)
    return found


def _ask(url: str, method: str, body: bytes | None = None) -> None:
    request = urllib.request.Request(url, body, method=method)  # noqa: S310 - a loopback address
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=5):  # noqa: S310
        pass
