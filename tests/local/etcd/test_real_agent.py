"""The machine agent, and the app in the unit's container, in one real etcd: whose registration stands when."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.agent.agent_unit import agent_unit
from fleetcaptain.agent.installation import is_offered, offered
from fleetcaptain.agent.program import agent_program
from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.documents import drained
from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.keys_api import KeysApi
from tests.unit.agent.test_agent_unit import APP, Boot
from tests.unit.units.shell_machine import SHELLS, UNIT, PretendedMachine, registration
from tests.unit.units.specs import SPECS

SPEC = replace(SPECS["app_server"], ready=None)


class Unit:
    """A unit on a pretended machine, with a real etcd; *app* is the program in its container."""

    def __init__(self, machine: PretendedMachine) -> None:
        self.machine = machine
        self.key = machine.key()
        self.api = KeysApi(machine.url)
        machine.stub("docker", "case $1 in port) echo 0.0.0.0:80 ;; inspect) echo true ;; esac")
        machine.load(SPEC)
        machine.agent("starting", UNIT)
        self.app = Discovery(Identity.from_environment({**machine.variables(), "FLEETCAPTAIN_ETCD": machine.url}))

    def register(self, run: str = "") -> None:
        """The unit is ready."""
        done = self.machine.agent("started", UNIT, **({"INVOCATION_ID": run} if run else {}))
        assert done.returncode == 0, done.stderr

    def unregister(self) -> None:
        """The unit stops."""
        assert self.machine.agent("stopping", UNIT).returncode == 0

    def round(self, state: str, rounds: int = 1) -> None:
        """The loop's next round while the unit is in *state*."""
        self.machine.states({UNIT: state})
        self.machine.loop(rounds)

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


@pytest.fixture(params=SHELLS)
def machine(tmp_path: Path, etcd_url: str, request: pytest.FixtureRequest) -> PretendedMachine:
    """A pretended machine, of an app named after the test."""
    app = request.node.name.replace("_", "-").translate(str.maketrans("[", "-", "]"))
    return PretendedMachine(tmp_path, etcd_url, request.param, app)


@pytest.fixture
def unit(machine: PretendedMachine) -> Unit:
    """A unit that has not registered yet."""
    return Unit(machine)


def test_a_unit_alone(unit: Unit) -> None:
    """Registered, renewed, registered again when its key is lost, unregistered."""
    unit.register()
    assert unit.port == 80
    unit.age()
    unit.round("active")
    assert unit.left_sec > 600
    unit.api.delete(unit.key)
    unit.round("active")
    assert unit.port == 80
    unit.unregister()
    assert unit.port is None
    unit.round("active")
    assert unit.port is None


def test_the_app_first(unit: Unit) -> None:
    """The unit leaves what its app registered, the agent does not keep it alive, and the stop removes it."""
    with unit.app.register("app_server", {"port": 8080}):
        unit.register()
        assert unit.port == 8080
        unit.age()
        unit.round("active")
        assert (unit.port, unit.left_sec <= 30) == (8080, True)
        unit.unregister()
        assert unit.port is None


def test_the_app_later(unit: Unit) -> None:
    """It replaces the unit's own; when it lets go the unit is not discovered, and the agent keeps it so."""
    unit.register()
    lease = unit.app.register("app_server", {"port": 8080})
    assert unit.port == 8080
    lease.renew()
    lease.close()
    unit.age()
    unit.round("active")
    assert unit.left_sec > 30
    assert unit.port is None
    unit.unregister()
    assert unit.api.get(unit.key).gone


def test_left_to_the_agent(unit: Unit) -> None:
    """It renews what the app wrote as long as the unit is active, and removes it when it is not."""
    unit.app.announce("app_server", {"port": 8080, "note": '"modifiedIndex":1,'})
    unit.register()
    assert unit.port == 8080
    unit.age()
    unit.round("active")
    assert (unit.port, unit.left_sec > 30) == (8080, True)
    unit.round("failed")
    assert unit.port is None


def test_a_restart(unit: Unit) -> None:
    """What an earlier run's app left, or its mark, does not stand in the way of the next run's registration."""
    unit.app.unregister("app_server")
    unit.register(run="the next")
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


def test_a_silent_machine_is_swept_and_a_live_one_stays(unit: Unit) -> None:
    """With the answers of a real etcd: two machines with a heartbeat, one of them ends."""

    def key(part: str) -> str:
        return f"/fleetcaptain/{unit.machine.app}/{part}"

    for name in ("machine-0", "machine-b"):
        unit.api.put(key(f"machines/{name}"), registration({"agent": "a", "machine": name}), 60)
        value = {"unit": name, "machine": name, "connection": {"note": '{"machine":"machine-0"}', "ports": [{}]}}
        unit.api.put(key(f"services/web/{name}"), registration(value), 60)
    unit.register()
    unit.round("active", 2)
    unit.api.delete(key("machines/machine-0"))
    (unit.machine.home / "machines" / "machine-0").write_text("1 0\n")  # it changed long ago
    unit.round("active", 4)
    assert unit.api.get(key("services/web/machine-0")).gone
    assert not unit.api.get(key("services/web/machine-b")).gone
    assert unit.port == 80


def test_what_was_there_before_a_reboot_is_removed(unit: Unit) -> None:
    """Its file is gone with /run, and its unit does not run."""
    unit.register()
    unit.machine.file().unlink()
    unit.round("activating")
    assert unit.port == 80
    unit.round("inactive")
    assert unit.port is None


def test_the_program_comes_out_of_etcd_as_it_went_in(tmp_path: Path, etcd_url: str) -> None:
    """As JSON that the shell takes apart."""
    store = EtcdStore(lambda: etcd_url)
    with offered(store, APP):
        assert is_offered(store, APP, agent_unit(APP, "behavioral/dev"))
    boot = Boot(tmp_path, etcd_url)
    assert boot.run().returncode == 0
    assert boot.texts() == [agent_program(), agent_program()]
