"""A machine's Ignition JSON: as in the golden files and with nothing secret in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fleetcaptain.machine.ignition import ignition
from tests.unit.machine.example_machines import MACHINES, MEMBER, WORKER, files, units

GOLDEN = Path(__file__).parent / "golden"
# EC2 gives a machine no more user data than this, in bytes.
USER_DATA_BYTES = 16 * 1024


@pytest.mark.parametrize("name", MACHINES)
def test_the_configuration_is_as_in_the_golden_file(name: str) -> None:
    """To accept a change, write what it gives now to the file, and read the difference."""
    given = json.dumps(ignition(MACHINES[name]), indent=1, sort_keys=True) + "\n"
    assert given == (GOLDEN / f"{name}.json").read_text()


def test_only_members_keep_data() -> None:
    """Another machine passes its own 2379 on to them, so that all else finds etcd in the same place everywhere."""
    member, worker = units(ignition(MEMBER))["etcd.service"], units(ignition(WORKER))["etcd.service"]
    assert "ETCD_INITIAL_CLUSTER=m1=http://10.0.0.11:2380,m2=http://10.0.0.12:2380,m3=http://10.0.0.13:2380" in member
    assert "gateway start" in worker
    assert all(f"10.0.0.1{number}:2379" in worker for number in (1, 2, 3))


def test_the_fleet_api_is_on_no_network() -> None:
    """It has no authentication: a unix socket for the group of `core`, nothing else."""
    socket = units(ignition(MEMBER))["fleet.socket"]
    listens = [line for line in socket.splitlines() if line.startswith("Listen")]
    assert listens == ["ListenStream=/run/fleet.sock"]
    assert "SocketMode=0660" in socket
    assert "SocketGroup=core" in socket


def test_programs_are_checked_against_their_sums() -> None:
    """By Ignition, before anything is written."""
    binaries = [file for file in ignition(MEMBER)["storage"]["files"] if file["path"].startswith("/opt/bin/")]
    assert {file["contents"]["verification"]["hash"][:7] for file in binaries} == {"sha512-"}
    assert {file["mode"] for file in binaries} == {0o755}


def test_units_find_their_machines_address_where_coreos_has_it() -> None:
    """``hostname -I`` names docker's bridge first."""
    assert "COREOS_PRIVATE_IPV4=10.0.0.11\n" in files(ignition(MEMBER))["/etc/environment"]


def test_the_failure_domain_is_metadata_of_fleet() -> None:
    """Units ask for it, and rollouts go by it."""
    assert "zone=a" in files(ignition(MEMBER))["/etc/fleet/fleet.env"]


def test_a_member_that_joins_later_says_so() -> None:
    """One that started as if new would be a cluster of its own."""
    joining = ignition(replace(MEMBER, etcd_state="existing"))
    assert "ETCD_INITIAL_CLUSTER_STATE=existing" in units(joining)["etcd.service"]


@pytest.mark.parametrize("name", MACHINES)
def test_the_configuration_fits_into_user_data(name: str) -> None:
    """With room to spare."""
    assert len(json.dumps(ignition(MACHINES[name]))) < USER_DATA_BYTES / 2


@pytest.mark.parametrize("name", MACHINES)
def test_nothing_secret_is_in_it(name: str) -> None:
    """Everybody on a machine can read its user data."""
    assert "PRIVATE KEY" not in json.dumps(ignition(MACHINES[name]))
