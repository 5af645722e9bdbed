"""The beacon's loop, one round of it run for real by sh and curl."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fleetcaptain.units.beacon import beacon_line
from tests.unit.units.machine import UNIT, PretendedMachine

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the loop needs curl")
KEY = f"/fleetcaptain/behavioral/services/app_server/{UNIT}"
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
    machine.etcd.keys[KEY] = VALUE
    assert one_round(machine, state).exists()
    assert machine.etcd.requests == [("PUT", KEY, {"refresh": "true", "ttl": "60", "prevValue": VALUE})]
    assert machine.etcd.keys == {KEY: VALUE}


def test_a_lost_key_of_a_live_unit_is_put_anew(machine: PretendedMachine) -> None:
    """It expired while etcd was away; it is created only if nobody else did meanwhile."""
    one_round(machine, "active")
    assert machine.etcd.keys == {KEY: VALUE}
    assert machine.etcd.requests[-1] == ("PUT", KEY, {"prevExist": "false", "ttl": "60", "value": VALUE})


def test_a_value_that_somebody_else_wrote_is_left(machine: PretendedMachine) -> None:
    """The app's own registration, one that is marked as draining, or another machine's."""
    machine.etcd.keys[KEY] = "another"
    one_round(machine, "active")
    assert machine.etcd.keys == {KEY: "another"}
    assert len(machine.etcd.requests) == 1


@pytest.mark.parametrize("state", ["inactive", "failed", "deactivating", "unknown"])
def test_a_dead_unit_is_dropped_within_one_round(machine: PretendedMachine, state: str) -> None:
    """Key and file go."""
    machine.etcd.keys[KEY] = VALUE
    assert not one_round(machine, state).exists()
    assert machine.etcd.keys == {}


def test_a_dead_unit_that_lives_on_another_machine_keeps_its_key(machine: PretendedMachine) -> None:
    """Only the file goes here."""
    machine.etcd.keys[KEY] = "of another machine"
    assert not one_round(machine, "failed").exists()
    assert machine.etcd.keys == {KEY: "of another machine"}


def test_a_unit_on_its_way_up_is_left_alone(machine: PretendedMachine) -> None:
    """It is just about to register: its file is there before it is active."""
    assert one_round(machine, "activating").exists()
    assert machine.etcd.requests == []


def test_a_unit_of_every_machine_is_asked_for_by_its_own_name(machine: PretendedMachine) -> None:
    """The machine's part of the file's name is not part of the unit's."""
    one_round(machine, "active", f"{KEY}~machine-a")
    assert machine.etcd.keys == {f"{KEY}~machine-a": VALUE}


def test_a_machine_without_registrations_asks_nothing(machine: PretendedMachine) -> None:
    """No file, no request, no complaint."""
    machine.stub("sleep", "kill $PPID")
    assert machine.run(beacon_line("behavioral", machine.place)).stderr == ""
    assert machine.etcd.requests == []
