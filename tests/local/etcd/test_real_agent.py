"""The units' shell lines, and the app in the unit's container, in one real etcd: whose registration stands when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.documents import drained
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.keys_api import KeysApi
from fleetcaptain.units.beacon import beacon_line
from fleetcaptain.units.registration import register_line, unregister_line
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.units.shell_machine import ADDRESS, MACHINE_ID, RUN, UNIT, PretendedMachine
from tests.unit.units.specs import SPECS

SPEC = SPECS["app_server"]


class Unit:
    """A unit on a pretended machine, with a real etcd; *app* is the program in its container."""

    def __init__(self, machine: PretendedMachine, url: str, name: str) -> None:
        self.machine = machine
        self.place = replace(machine.place, etcd=f"{url}/v2/keys")
        self.name = name
        self.key = f"/fleetcaptain/{name}/services/app_server/{UNIT}"
        self.api = KeysApi(url)
        told = {"APP": name, "SERVICE": "app_server", "UNIT": UNIT, "MACHINE": MACHINE_ID, "KEY": self.key, "RUN": RUN}
        told |= {"HOST": ADDRESS, "ETCD": url, "CONTENT": "c" * 40}
        self.app = Discovery(Identity.from_environment({f"FLEETCAPTAIN_{key}": value for key, value in told.items()}))
        (machine.folder / "units" / UNIT).write_text("[Service]\n")

    def register(self) -> None:
        """What the unit does when it is ready."""
        result = self.machine.run(register_line(SPEC, self.name, self.place))
        assert result.returncode == 0, result.stderr

    def unregister(self) -> None:
        """What the unit does before it stops."""
        self.machine.run(unregister_line(SPEC, self.name, self.place))

    def beacon(self, state: str) -> None:
        """One round of the beacon while the unit is in *state*."""
        self.machine.stub("systemctl", f"echo {state}")
        self.machine.stub("sleep", "kill $PPID")
        self.machine.run(beacon_line(self.name, self.place))

    @property
    def port(self) -> int | None:
        """The port that is registered; None when nothing is."""
        answer = self.api.get(self.key)
        return None if answer.gone else json.loads(answer.node["value"])["connection"].get("port")

    def age(self) -> None:
        """Let the registration be close to its end."""
        assert self.api.refresh(self.key, self.api.get(self.key).node["value"], 30).done

    @property
    def left_sec(self) -> int:
        """How long the registration lives."""
        return int(self.api.get(self.key).node["ttl"])


@pytest.fixture
def unit(machine: PretendedMachine, etcd_url: str, request: pytest.FixtureRequest) -> Unit:
    """A unit that has not registered yet, of an app named after the test."""
    return Unit(machine, etcd_url, request.node.name.replace("_", "-").partition("[")[0])


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[PretendedMachine]:
    """A pretended machine."""
    with FakeEtcd() as etcd:
        yield PretendedMachine(tmp_path, etcd)


def test_a_unit_alone(unit: Unit) -> None:
    """Registered, renewed, put anew when lost, taken back."""
    unit.register()
    assert unit.port == 80
    unit.age()
    unit.beacon("active")
    assert unit.left_sec > 30
    unit.api.delete(unit.key)
    unit.beacon("active")
    assert unit.port == 80
    unit.unregister()
    assert unit.port is None
    unit.beacon("active")
    assert unit.port is None


def test_the_app_first(unit: Unit) -> None:
    """The unit leaves what its app registered, the beacon does not keep it alive, and the stop takes it back."""
    with unit.app.register("app_server", {"port": 8080}):
        unit.register()
        assert unit.port == 8080
        unit.age()
        unit.beacon("active")
        assert (unit.port, unit.left_sec <= 30) == (8080, True)
        unit.unregister()
        assert unit.port is None


def test_the_app_later(unit: Unit) -> None:
    """It replaces the unit's own; when it lets go nobody discovers the unit, and the beacon keeps it so."""
    unit.register()
    lease = unit.app.register("app_server", {"port": 8080})
    assert unit.port == 8080
    lease.renew()
    lease.close()
    unit.age()
    unit.beacon("active")
    assert unit.left_sec > 30
    assert unit.port is None
    unit.unregister()
    assert unit.api.get(unit.key).gone


def test_left_to_the_beacon(unit: Unit) -> None:
    """It renews what the app wrote as long as the unit is active, and removes it when it is not."""
    unit.app.announce("app_server", {"port": 8080, "note": '"modifiedIndex":1,'})
    unit.register()
    assert unit.port == 8080
    unit.age()
    unit.beacon("active")
    assert (unit.port, unit.left_sec > 30) == (8080, True)
    unit.beacon("failed")
    assert unit.port is None


def test_a_restart(unit: Unit) -> None:
    """What an earlier run's app left, or its mark, does not stand in the way of the next run's registration."""
    unit.app.unregister("app_server")
    unit.machine.run(register_line(SPEC, unit.name, unit.place), INVOCATION_ID="the next")
    assert unit.port == 80


def test_a_drained_registration_of_an_app_goes_with_its_unit(unit: Unit) -> None:
    """A rollout's mark leaves the beginning as it was, by which the unit knows it."""
    unit.register()
    lease = unit.app.register("app_server", {"port": 8080})
    unit.api.put(unit.key, drained(unit.api.get(unit.key).node["value"]), 60)
    lease.renew()
    assert not lease.held
    unit.unregister()
    assert unit.api.get(unit.key).gone
    lease.renew()
    assert unit.api.get(unit.key).gone
    lease.stop()
