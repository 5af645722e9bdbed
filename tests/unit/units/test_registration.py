"""The registration lines, run for real by sh and curl against a pretended etcd."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.fleetfile.values import Port
from fleetcaptain.units.registration import register_line, unregister_line
from tests.fakes.unit_texts import unit_hash
from tests.unit.units.shell_machine import ADDRESS, MACHINE_ID, RUN, UNIT, PretendedMachine, made_by_app
from tests.unit.units.specs import SPECS

SPEC = replace(SPECS["app_server"], versions=("v1.0", 'odd "%s" \\ é'))
TEXT = "[Service]\nExecStart=/bin/true\n"
KEY = f"/fleetcaptain/behavioral/services/app_server/{UNIT}"


@pytest.fixture
def loaded(machine: PretendedMachine) -> PretendedMachine:
    """A machine on which fleet has loaded the unit."""
    (machine.folder / "units" / UNIT).write_text(TEXT)
    return machine


def test_the_registration_says_who_where_and_what(loaded: PretendedMachine) -> None:
    """The value has every field of the layout; its content is the hash that fleet knows the unit by."""
    result = loaded.run(register_line(SPEC, "behavioral", loaded.place))
    assert result.returncode == 0, result.stderr
    ((verb, key, form),) = loaded.etcd.requests
    assert (verb, key, form["ttl"]) == ("PUT", KEY, "60")
    value = json.loads(form["value"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value.pop("since"))
    assert value == {
        "service": "app_server",
        "unit": UNIT,
        "content": unit_hash(TEXT),
        "machine": "machine-a",
        "host": ADDRESS,
        "ports": {"80": 80},
        "connection": {"host": ADDRESS, "port": 80},
        "versions": list(SPEC.versions),
    }


def test_the_file_mirrors_the_key_and_holds_the_value(loaded: PretendedMachine) -> None:
    """The beacon finds the key by the file's path, and compares with its bytes."""
    loaded.run(register_line(SPEC, "behavioral", loaded.place))
    files = [path for path in (loaded.folder / "run").rglob("*") if path.is_file()]
    assert [f"/{path.relative_to(loaded.folder / 'run')}" for path in files] == [KEY]
    assert files[0].read_text() == loaded.etcd.values[KEY]


def test_ports_that_docker_picked_are_registered(loaded: PretendedMachine) -> None:
    """Free and ranged ports are asked for, in the order written; an address they are published on counts."""
    loaded.stub(
        "docker", 'case "$3" in 80/tcp) echo 0.0.0.0:32768; echo "[::]:32770";; 53/udp) echo 10.0.0.9:53001;; esac'
    )
    ports = (Port(53, 53000, 53010, protocol="udp", address="10.0.0.9"), Port(443, 443), Port(80))
    assert loaded.run(register_line(replace(SPEC, ports=ports), "behavioral", loaded.place)).returncode == 0
    value = json.loads(loaded.etcd.values[KEY])
    assert value["ports"] == {"53/udp": 53001, "443": 443, "80": 32768}
    assert value["connection"] == {"host": "10.0.0.9", "port": 53001}
    assert value["host"] == ADDRESS


def test_a_service_without_ports_has_a_connection_without_one(loaded: PretendedMachine) -> None:
    """Its host is still known."""
    loaded.run(register_line(replace(SPEC, ports=()), "behavioral", loaded.place))
    value = json.loads(loaded.etcd.values[KEY])
    assert (value["ports"], value["connection"]) == ({}, {"host": ADDRESS, "port": None})


def test_it_tries_again_while_etcd_has_no_leader(loaded: PretendedMachine) -> None:
    """etcd answers 500 during an election; that must not fail a start."""
    loaded.etcd.failures = 1
    assert loaded.run(register_line(SPEC, "behavioral", loaded.place)).returncode == 0
    assert KEY in loaded.etcd.values


@pytest.mark.parametrize("port", [Port(80), Port(80, 80, 90)])
def test_a_port_that_docker_does_not_know_fails_the_start(loaded: PretendedMachine, port: Port) -> None:
    """No registration is better than one without its port."""
    loaded.stub("docker", "exit 1")
    assert loaded.run(register_line(replace(SPEC, ports=(port,)), "behavioral", loaded.place)).returncode != 0
    assert loaded.etcd.requests == []


def test_a_unit_that_fleet_does_not_know_is_not_registered(machine: PretendedMachine) -> None:
    """Without its file there is no content to register."""
    assert machine.run(register_line(SPEC, "behavioral", machine.place)).returncode != 0
    assert machine.etcd.requests == []


def test_a_machine_without_its_address_says_so(loaded: PretendedMachine) -> None:
    """The journal names the variable and the file."""
    result = loaded.run(register_line(SPEC, "behavioral", loaded.place), COREOS_PRIVATE_IPV4="")
    assert result.returncode != 0
    assert "COREOS_PRIVATE_IPV4: is not set in /etc/environment" in result.stderr


def test_unregistering_removes_key_and_file(loaded: PretendedMachine) -> None:
    """After it nothing is left, and a second time changes nothing."""
    loaded.run(register_line(SPEC, "behavioral", loaded.place))
    loaded.run(unregister_line(SPEC, "behavioral", loaded.place))
    assert loaded.etcd.values == {}
    assert not [path for path in (loaded.folder / "run").rglob("*") if path.is_file()]
    written = len(loaded.etcd.writes)
    assert loaded.run(unregister_line(SPEC, "behavioral", loaded.place)).stderr == ""
    assert len(loaded.etcd.writes) == written


def test_what_another_machine_registered_is_left(loaded: PretendedMachine) -> None:
    """The unit may run elsewhere by now; only its own value is taken back."""
    loaded.run(register_line(SPEC, "behavioral", loaded.place))
    loaded.etcd.put(KEY, "of another machine", 60)
    loaded.run(unregister_line(SPEC, "behavioral", loaded.place))
    assert loaded.etcd.values == {KEY: "of another machine"}


def test_what_the_app_registered_before_its_unit_did_stays(loaded: PretendedMachine) -> None:
    """The app knows better when it is ready and where; the file is written all the same, for when the app lets go."""
    value = loaded.etcd.put(KEY, made_by_app("app", connection={"port": 1}), 60)
    result = loaded.run(register_line(SPEC, "behavioral", loaded.place))
    assert result.returncode == 0, result.stderr
    assert loaded.etcd.values == {KEY: value}
    assert (Path(loaded.place.run + KEY)).exists()


@pytest.mark.parametrize(
    "left",
    [
        "of another machine",
        made_by_app(run="earlier", connection={"a": 1, "run": RUN}),
        made_by_app(machine="machine-b"),
    ],
)
def test_what_an_earlier_run_left_is_replaced(loaded: PretendedMachine, left: str) -> None:
    """Another machine's, another run's: none of it is true any more where this unit starts."""
    loaded.etcd.put(KEY, left, 60)
    result = loaded.run(register_line(SPEC, "behavioral", loaded.place))
    assert result.returncode == 0, result.stderr
    assert json.loads(loaded.etcd.values[KEY])["machine"] == MACHINE_ID
    assert "lease" not in json.loads(loaded.etcd.values[KEY])


@pytest.mark.parametrize("lease", ["app", "beacon"])
@pytest.mark.parametrize("registered", [True, False])
def test_what_the_app_registered_is_taken_back_with_the_unit(
    loaded: PretendedMachine, lease: str, registered: bool
) -> None:
    """No request is sent to an instance that is about to stop, even when the unit itself never came to register."""
    if registered:
        loaded.run(register_line(SPEC, "behavioral", loaded.place))
    loaded.etcd.put(KEY, made_by_app(lease, connection={"note": '"modifiedIndex":7,'}), 60)
    loaded.run(unregister_line(SPEC, "behavioral", loaded.place))
    assert loaded.etcd.values == {}
    assert not Path(loaded.place.run + KEY).exists()


def test_what_the_app_registered_on_another_machine_is_left(loaded: PretendedMachine) -> None:
    """The unit runs there by now."""
    loaded.run(register_line(SPEC, "behavioral", loaded.place))
    value = loaded.etcd.put(
        KEY, made_by_app(machine="machine-b", connection={"machine": MACHINE_ID, "lease": "app"}), 60
    )
    loaded.run(unregister_line(SPEC, "behavioral", loaded.place))
    assert loaded.etcd.values == {KEY: value}


def test_an_etcd_that_refuses_fails_the_start_and_says_why(loaded: PretendedMachine) -> None:
    """What etcd answered stands in the journal."""
    loaded.stub("curl", 'printf "no such thing 400"')
    result = loaded.run(register_line(SPEC, "behavioral", loaded.place))
    assert result.returncode == 1
    assert "etcd answered no such thing 400" in result.stdout


def test_while_etcd_is_away_the_file_stays_for_the_beacon_and_the_stop_goes_on(loaded: PretendedMachine) -> None:
    """An etcd that is down neither holds up the stop nor makes the registration forgotten."""
    loaded.run(register_line(SPEC, "behavioral", loaded.place))
    loaded.etcd.close()
    line = unregister_line(SPEC, "behavioral", loaded.place, then=f"touch {loaded.folder}/stopped")
    loaded.run(line)
    assert (loaded.folder / "stopped").exists()
    assert [path for path in (loaded.folder / "run").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
def test_no_proxy_stands_between_a_unit_and_its_own_machine(loaded: PretendedMachine, name: str) -> None:
    """The variables of a unit, or of the machine, may name one."""
    proxy = {name: "http://127.0.0.1:9", "no_proxy": "example.org"}
    assert loaded.run(register_line(SPEC, "behavioral", loaded.place), **proxy).returncode == 0
    assert KEY in loaded.etcd.values
    loaded.run(unregister_line(SPEC, "behavioral", loaded.place), **proxy)
    assert KEY not in loaded.etcd.values
