"""The beacon's loop, one round of it run for real by sh and curl."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetcaptain.units.beacon import beacon_line
from tests.unit.units.shell_machine import MACHINE_ID, UNIT, PretendedMachine, made_by_app

KEY = f"/fleetcaptain/behavioral/services/app_server/{UNIT}"
# Text of an app that looks like the parts of etcd's answer which are looked for.
TRICKS = f'"value":"{{"machine":"{MACHINE_ID}","lease":"beacon"}} "modifiedIndex":7,'
VALUE = '{"service":"app_server","note":"a & b = é + %41"}'


def one_round(machine: PretendedMachine, state: str, key: str = KEY) -> Path:
    """Let the beacon look once at a registration file whose unit is in *state*; the file's path."""
    machine.stub("systemctl", f'test "$*" = "is-active {UNIT}" && echo {state}')
    machine.stub("sleep", "kill $PPID")
    file = Path(machine.place.run + key)
    file.parent.mkdir(parents=True)
    file.write_text(VALUE)
    machine.run(beacon_line("behavioral", machine.place))
    return file


@pytest.mark.parametrize("state", ["active", "reloading"])
def test_a_live_unit_is_renewed_by_comparing(machine: PretendedMachine, state: str) -> None:
    """Only the time to live changes, and only if the value is this machine's."""
    machine.etcd.put(KEY, VALUE, 60)
    assert one_round(machine, state).exists()
    assert machine.etcd.requests == [("PUT", KEY, {"refresh": "true", "ttl": "60", "prevValue": VALUE})]
    assert machine.etcd.values == {KEY: VALUE}


def test_a_lost_key_of_a_live_unit_is_put_anew(machine: PretendedMachine) -> None:
    """It expired while etcd was away; it is created only if nobody else did meanwhile."""
    one_round(machine, "active")
    assert machine.etcd.values == {KEY: VALUE}
    assert machine.etcd.writes[-1] == ("PUT", KEY, {"prevExist": "false", "ttl": "60", "value": VALUE})


def test_a_value_that_somebody_else_wrote_is_left(machine: PretendedMachine) -> None:
    """The unit's own, marked as draining, or another machine's."""
    machine.etcd.put(KEY, "another", 60)
    one_round(machine, "active")
    assert machine.etcd.values == {KEY: "another"}
    assert len(machine.etcd.writes) == 1


@pytest.mark.parametrize("machine_id", [MACHINE_ID, "machine-b"])
def test_what_an_app_registered_and_renews_itself_is_left(machine: PretendedMachine, machine_id: str) -> None:
    """It must run out when the app hangs, so the beacon does not keep it alive."""
    value = machine.etcd.put(KEY, made_by_app("app", machine_id, connection={"note": TRICKS}), 60)
    one_round(machine, "active")
    assert machine.etcd.values == {KEY: value}
    assert len(machine.etcd.writes) == 1


def test_what_an_app_left_to_the_beacon_is_renewed(machine: PretendedMachine) -> None:
    """A command that registers and ends cannot renew; its registration lives as long as the unit does."""
    value = machine.etcd.put(KEY, made_by_app("beacon", connection={"note": TRICKS}), 60)
    one_round(machine, "active")
    assert machine.etcd.values == {KEY: value}
    verb, key, form = machine.etcd.writes[-1]
    assert (verb, key, form) == ("PUT", KEY, {"refresh": "true", "ttl": "60", "prevIndex": form["prevIndex"]})
    assert len(machine.etcd.writes) == 2


def test_another_machines_beacon_renews_what_was_left_to_it(machine: PretendedMachine) -> None:
    """The unit may run there now; here only its remains are active."""
    machine.etcd.put(KEY, made_by_app("beacon", "machine-b"), 60)
    one_round(machine, "active")
    assert len(machine.etcd.writes) == 1


@pytest.mark.parametrize("lease", ["app", "beacon"])
def test_a_dead_unit_loses_what_its_app_registered(machine: PretendedMachine, lease: str) -> None:
    """Whoever renewed it, its app is gone with the unit."""
    machine.etcd.put(KEY, made_by_app(lease, connection={"note": TRICKS}), 60)
    assert not one_round(machine, "failed").exists()
    assert machine.etcd.values == {}


def test_a_dead_unit_leaves_what_its_app_registered_on_another_machine(machine: PretendedMachine) -> None:
    """It lives there now."""
    value = machine.etcd.put(KEY, made_by_app("app", "machine-b", connection={"note": TRICKS}), 60)
    one_round(machine, "failed")
    assert machine.etcd.values == {KEY: value}


@pytest.mark.parametrize("state", ["inactive", "failed", "deactivating", "unknown"])
def test_a_dead_unit_is_dropped_within_one_round(machine: PretendedMachine, state: str) -> None:
    """Key and file go."""
    machine.etcd.put(KEY, VALUE, 60)
    assert not one_round(machine, state).exists()
    assert machine.etcd.values == {}


def test_a_dead_unit_that_lives_on_another_machine_keeps_its_key(machine: PretendedMachine) -> None:
    """Only the file goes here."""
    machine.etcd.put(KEY, "of another machine", 60)
    assert not one_round(machine, "failed").exists()
    assert machine.etcd.values == {KEY: "of another machine"}


def test_a_unit_on_its_way_up_is_left_alone(machine: PretendedMachine) -> None:
    """It is just about to register: its file is there before it is active."""
    assert one_round(machine, "activating").exists()
    assert machine.etcd.requests == []


def test_a_machine_without_registrations_asks_nothing(machine: PretendedMachine) -> None:
    """No file, no request, no complaint."""
    machine.stub("sleep", "kill $PPID")
    assert machine.run(beacon_line("behavioral", machine.place)).stderr == ""
    assert machine.etcd.requests == []
