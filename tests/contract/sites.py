"""The two fleets that must behave alike, behind one face."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import requests

from fleetcaptain.fleet.entities import Machine, UnitState
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.tunnel import Tunnel
from fleetcaptain.localcluster.layout import Layout
from fleetcaptain.net.pools import LOCAL_URL, UnixAdapter, socket_of
from tests.fakes.fleet import Cluster, FakeFleet, Loaded

__all__ = ["FakeSite", "RealSite", "Site"]

# fleetd unloads one unit that never started per pass, every 5 s: the 18 units of an earlier test take it 90 s.
_REAL_SEC = 180
_PAUSE_SEC = 0.2
_FAKE_STEPS = 10


class Site(ABC):
    """A fleet of one *machine* with its *client*."""

    machine: Machine
    client: FleetClient

    @abstractmethod
    def url(self) -> str:
        """Where the API answers."""

    @abstractmethod
    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Let fleet go on until *condition* holds; fails with *what* when it does not in the end."""

    @abstractmethod
    def publish(self, states: Iterable[UnitState]) -> None:
        """Make fleet believe that a machine reported *states*."""

    def call(self, method: str, path: str, body: object = None, **more: Any) -> requests.Response:
        """A plain call, past our client."""
        sent: dict[str, Any] = {} if body is None else {"json": body}
        return _request(self.url(), method, f"/fleet/v1{path}", **sent, **more)

    def page(self, path: str) -> Mapping[str, Any]:
        """The JSON object at *path*."""
        found: Mapping[str, Any] = self.call("GET", path).json()
        return found

    def state(self, name: str) -> UnitState | None:
        """What our client reads of the unit *name* on the machine, None when fleet reports nothing."""
        found = [state for state in self.client.states() if (state.name, state.machine_id) == (name, self.machine.id)]
        return found[0] if found else None

    def wait_for_state(self, name: str, unit_hash: str, active: str, sub: str) -> None:
        """Let fleet go on until the machine reports exactly this."""
        wanted = UnitState(name, self.machine.id, unit_hash, "loaded", active, sub)
        self.wait_for(lambda: self.state(name) == wanted, f"{wanted}, and not {self.state(name)}")

    def clear(self) -> None:
        """Make fleet forget all units that it lists."""
        for unit in self.client.units():
            self.client.delete(unit.name)


class FakeSite(Site):
    """The fake, in which ``/bin/false`` fails and ``/bin/true`` ends well."""

    def __init__(self, fake: FakeFleet, machine: Machine) -> None:
        self.fake = fake
        self.machine = machine
        self.client = FleetClient(Transport(self.url, sleep=lambda _sec: None))

    @classmethod
    def make(cls) -> FakeSite:
        """A fake with a machine as our local clusters have it."""
        metadata = {"name": "m1", "zone": "z1", "rack": "r1", "disk": "ssd"}
        machine = Machine("0123456789abcdef" * 2, "10.0.0.11", metadata)
        return cls(FakeFleet(Cluster((machine,), outcome=_outcome)), machine)

    def url(self) -> str:
        """Where the API answers."""
        return self.fake.url

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Step until *condition* holds."""
        for _ in range(_FAKE_STEPS):
            if condition():
                return
            self.fake.cluster.step()
        raise AssertionError(f"never: {what}")

    def publish(self, states: Iterable[UnitState]) -> None:
        """Put rows beside those of the machine."""
        rows = {(row.name, row.machine_id): Loaded(row.unit_hash, row.active, row.sub, started=True) for row in states}
        self.fake.cluster.loaded.update(rows)


class RealSite(Site):
    """The real fleetd of a machine in Docker, through the tunnel."""

    def __init__(self, layout: Layout, tunnel: Tunnel) -> None:
        name, address = next(iter(layout.addresses.items()))
        self.identity = layout.identity
        self.machine = Machine(layout.machine_id(name), address, layout.metadata_of(name))
        self.client = FleetClient(Transport(tunnel.fleet_url, mark_unreachable=tunnel.mark_unreachable))
        self._tunnel = tunnel

    def url(self) -> str:
        """Where the API answers."""
        return self._tunnel.fleet_url()

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Look again and again until *condition* holds."""
        deadline = time.monotonic() + _REAL_SEC
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {_REAL_SEC} s: {what}")
            time.sleep(_PAUSE_SEC)

    def publish(self, states: Iterable[UnitState]) -> None:
        """Write the keys that a machine's agent writes (registry/unit_state.go), for 30 s, as it does."""
        for state in states:
            value = {
                "loadState": state.load,
                "activeState": state.active,
                "subState": state.sub,
                "machineState": {"ID": state.machine_id},
                "unitHash": state.unit_hash,
            }
            key = f"/v2/keys/_coreos.com/fleet/states/{state.name}/{state.machine_id}"
            form = {"value": json.dumps(value), "ttl": "30"}
            _request(self._tunnel.etcd_url(), "PUT", key, data=form).raise_for_status()


def _request(url: str, method: str, path: str, **more: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        if socket := socket_of(url):
            session.mount("http://", UnixAdapter(socket))
        return session.request(method, f"{LOCAL_URL if socket else url}{path}", timeout=10, **more)


def _outcome(_name: str, text: str) -> tuple[str, str]:
    if "/bin/false" in text:
        return "failed", "failed"
    if "/bin/true" in text:
        return ("active", "exited") if "RemainAfterExit=yes" in text else ("inactive", "dead")
    return "active", "running"
