"""A cluster in memory for what talks to a whole one: real clients, the fake fleet behind them, etcd as a dictionary.

Time is a number that passes only in waits. In each wait the fake fleet does one step, and units that run register
themselves, as the lines of a real unit do.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
from requests.adapters import BaseAdapter

from fleetcaptain.discovery.keys import registration_key
from fleetcaptain.fleet.entities import DesiredState, Machine
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.retry import Retry
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.polling import REFRESH_SEC
from fleetcaptain.units.mark import mark_in
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP
from tests.fakes.fake_etcd import FakeEtcd
from tests.fakes.fleet import fake_fleet as fleet
from tests.fakes.fleet.replies import Request
from tests.fakes.fleet.routes import answer
from tests.fakes.fleet.rules import is_global
from tests.fakes.unit_texts import canonical

__all__ = ["APP", "MACHINES", "Site"]

MACHINES = tuple(Machine(f"m{number}", f"10.0.0.{number}", {"name": f"m{number}"}) for number in (1, 2, 3))
_PULLED = "fleetcaptain: the image is here"
_STEPS_TO_REST = 6


@dataclass
class Site:
    """*fleet* and *etcd* are what the cluster keeps. *failing*: a unit whose text has this word fails. *unreachable*:
    nothing answers. *pull*: what docker prints on each machine when an image is pulled. *fleetd*: the settings of each
    fleetd. *commands*: (address, arguments) of each command that was run on a machine."""

    fleet: fleet.Cluster = field(default_factory=lambda: fleet.Cluster(MACHINES))
    etcd: FakeEtcd = field(default_factory=FakeEtcd)
    now: float = 0
    failing: str = ""
    unreachable: bool = False
    pull: str = _PULLED
    fleetd: str = "FLEET_ETCD_CERTFILE=/etc/fleetcaptain/tls/fleet.pem"
    commands: list[tuple[str, list[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fleet.outcome = self._outcome

    def cluster(self, app: str = APP) -> Cluster:
        """The cluster as *app* sees it."""
        transport = Transport(lambda: "http://fleet", Retry(fault_tries=1), self.wait, adapter=_InMemory(self))
        return Cluster(app, FleetClient(transport), self.etcd.store, self._run, clock=lambda: self.now, sleep=self.wait)

    def wait(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += seconds
        self.fleet.step()
        self._register()

    def start(self, units: Mapping[str, str]) -> None:
        """Have *units*, name -> text, run already."""
        for name, text in units.items():
            self.cluster().fleet.put(name, UnitFile.parse(text), DesiredState.LAUNCHED)
        self.rest()

    def stop(self, name: str) -> None:
        """Stop a unit behind the stack's back, as ``fleetctl stop`` does."""
        self.cluster().fleet.set_desired(name, DesiredState.LOADED)
        self.rest()

    def rest(self) -> None:
        """Let fleet do all that it has to do, for so long that no refresh reuses an earlier read."""
        for _ in range(_STEPS_TO_REST):
            self.wait(REFRESH_SEC)

    @property
    def texts(self) -> dict[str, str]:
        """Name -> text of each unit that fleet has."""
        return {name: canonical(unit.raw) for name, unit in self.fleet.units.items()}

    @property
    def running(self) -> set[str]:
        """The names of the units that run."""
        return {name for (name, _), row in self.fleet.loaded.items() if row.active == "active"}

    @property
    def registered(self) -> set[str]:
        """The names of the units that are registered."""
        return {key.rpartition("/")[2] for key in self.etcd.values if "/services/" in key}

    def _outcome(self, _name: str, text: str) -> tuple[str, str]:
        return ("failed", "failed") if self.failing and self.failing in text else ("active", "running")

    def _register(self) -> None:
        """Write and remove the registrations of units, as their own lines do."""
        live: dict[str, str] = {}
        for (name, machine_id), row in self.fleet.loaded.items():
            unit = self.fleet.units.get(name)
            mark = mark_in(unit.options) if unit else None
            if unit is None or mark is None or row.active != "active" or is_global(unit.options):
                continue
            host = next(machine.ip for machine in self.fleet.machines if machine.id == machine_id)
            entry = {
                "service": mark.service,
                "unit": name,
                "content": row.unit_hash,
                "machine": machine_id,
                "host": host,
            }
            where = {"ports": {"80": 8080}, "connection": {"host": host, "port": 8080}}
            live[registration_key(mark.app, mark.service, name)] = json.dumps({**entry, **where})
        known = {key: value for key, value in self.etcd.values.items() if "/services/" in key}
        for key in known.keys() - live.keys():
            self.etcd.remove(key)
        for key, value in live.items():
            if key not in known or _content(known[key]) != _content(value):
                self.etcd.put(key, value)

    def _run(self, address: str, argv: list[str], _timeout_sec: float, _text: str = "") -> str | None:
        self.commands.append((address, argv))
        if argv[0] == "cat":
            return self.fleetd
        return self.pull if "pull" in argv else f"output of {argv[0]} on {address}"


def _content(text: str) -> Any:
    return json.loads(text)["content"]


class _InMemory(BaseAdapter):
    """Carries requests to the fake fleet without a network."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        """Answer *request*."""
        if self._site.unreachable:
            raise requests.ConnectionError("the network is down")
        url = urlsplit(str(request.url))
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        query = parse_qs(url.query, keep_blank_values=True)
        kinds = [request.headers.get("Content-Type", "")]
        reply = answer(self._site.fleet, Request(str(request.method), unquote(url.path), query, kinds, bytes(body)))
        response = requests.Response()
        response.status_code, response.url = reply.status, str(request.url)
        response.headers["Server"] = "fleetd/1.0.0"
        response.raw = io.BytesIO(b"" if reply.data is None else json.dumps(reply.data).encode())
        return response

    def close(self) -> None:
        """Nothing is open."""
