"""A local cluster: what it is made of, how a machine's definition gets into it, what a dead machine leaves behind."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.localcluster.ignition_files import archive, entries
from fleetcaptain.localcluster.layout import SIZES, Layout, member_count, overlaps, preferred_port, subnets
from fleetcaptain.localcluster.machines import binaries, machine_config, replacing
from fleetcaptain.localcluster.stale_registrations import stale
from fleetcaptain.machine.definition import Machine
from fleetcaptain.machine.ignition import ignition

ID = "fleetcaptain/dev/0a1b2c3d"
LAYOUT = Layout(
    identity=ID,
    size=5,
    subnet="10.70.1.0/24",
    registry_port=25000,
    home=Path(".fleetcaptain/dev"),
    image="machine:1",
    tools=Path("/tools"),
    metadata={"disk": "ssd"},
)
SOURCES = {"tools:/etcd": b"etcd", "tools:/fleetd": b"fleetd"}


@pytest.mark.parametrize("size", SIZES)
def test_a_quorum_is_never_of_two(size: int) -> None:
    """Two members would survive the loss of none."""
    assert member_count(size) in {1, 3}
    assert member_count(size) <= size


def test_subnets_and_ports_are_tried_in_the_same_order_each_time() -> None:
    """A cluster that is made again gets the same addresses if it can; each subnet is private and another one."""
    tried = list(islice(subnets(ID), 64))
    assert tried == list(subnets(ID))
    assert len(set(tried)) == 64
    assert all(IPv4Network(subnet).subnet_of(IPv4Network("10.64.0.0/10")) for subnet in tried)
    assert 20000 <= preferred_port(ID) < 30000


def test_a_subnet_that_overlaps_is_known() -> None:
    """Whichever of the two is the larger."""
    assert overlaps("10.70.1.0/24", ["192.168.0.0/16", "10.70.0.0/16"])
    assert not overlaps("10.70.1.0/24", ["10.70.2.0/24"])


def test_machines_have_addresses_members_and_zones() -> None:
    """The first three keep etcd's data, each in a zone of its own."""
    assert list(LAYOUT.addresses.values()) == [f"10.70.1.{number}" for number in range(11, 16)]
    assert [member.name for member in LAYOUT.members] == ["m1", "m2", "m3"]
    assert len({LAYOUT.metadata_of(member.name)["zone"] for member in LAYOUT.members}) == 3
    assert LAYOUT.metadata_of("m4") == {"name": "m4", "zone": "z1", "disk": "ssd"}


def test_a_machine_keeps_its_identity_in_a_new_container() -> None:
    """fleet knows it by its id; another stack's machine has another."""
    assert LAYOUT.machine_id("m1") == replace(LAYOUT, image="machine:2").machine_id("m1")
    assert len({LAYOUT.machine_id("m1"), LAYOUT.machine_id("m2"), replace(LAYOUT, identity="x").machine_id("m1")}) == 3


def test_machines_get_fleetctl_only_where_it_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """etcd and fleetd are required."""
    monkeypatch.setenv("PATH", "")
    layout = replace(LAYOUT, tools=tmp_path)
    (tmp_path / "etcd").write_bytes(b"e")
    with pytest.raises(FleetCaptainError, match=r"fleetd is neither in .* Run `make tools`"):
        binaries(layout)
    (tmp_path / "fleetd").write_bytes(b"f")
    assert list(binaries(layout).values()) == [b"e", b"f"]
    (tmp_path / "fleetctl").write_bytes(b"c")
    assert list(binaries(layout).values()) == [b"e", b"f", b"c"]


def test_machines_stay_when_fleetctl_is_built_later() -> None:
    """As tests do, in the checkout of a cluster that runs. A new etcd replaces them."""

    def fingerprint(**more: bytes) -> Machine:
        sources = {**SOURCES, **{f"tools:/{name}": program for name, program in more.items()}}
        return replacing(machine_config(LAYOUT, "m1", "ssh-ed25519 AAAA", sources))

    assert fingerprint(fleetctl=b"1.0.0") == fingerprint()
    assert fingerprint(etcd=b"other") != fingerprint()


def carried() -> dict[str, Any]:
    """Path -> entry, of one machine."""
    config = ignition(machine_config(LAYOUT, "m1", "ssh-ed25519 AAAA", SOURCES))
    return {entry.path: entry for entry in entries(config, SOURCES)}


def test_everything_in_the_definition_gets_into_the_machine() -> None:
    """Files, programs, units and their links, and the key."""
    found = carried()
    assert found["/opt/bin/etcd"].data == b"etcd"
    assert found["/opt/bin/etcd"].mode == 0o755
    assert b"10.70.1.11" in found["/etc/environment"].data
    link = found["/etc/systemd/system/multi-user.target.wants/etcd.service"]
    assert link.target == "/etc/systemd/system/etcd.service"
    assert found["/etc/systemd/system/sockets.target.wants/fleet.socket"].target
    assert found["/etc/systemd/system/multi-user.target.wants/docker.service"].target.startswith("/usr/lib")
    assert found["/home/core/.ssh/authorized_keys"].data == b"ssh-ed25519 AAAA\n"


def test_sshd_finds_keys_that_belong_to_their_user() -> None:
    """It reads no others."""
    packed = io.BytesIO(archive(tuple(carried().values()), {"root": 0, "core": 500}))
    with tarfile.open(fileobj=packed) as tar:
        owners = {info.name: (info.uid, oct(info.mode)) for info in tar}
    assert owners["home/core/.ssh"] == (500, "0o700")
    assert owners["home/core/.ssh/authorized_keys"] == (500, "0o600")
    assert owners["etc/environment"][0] == 0


@pytest.mark.parametrize("config", [{"kernelArguments": {}}, {"storage": {"disks": []}}, {"passwd": {"groups": []}}])
def test_what_the_carrier_does_not_know_is_refused(config: dict[str, Any]) -> None:
    """Left out without a word it would make a machine that differs from the one on AWS."""
    with pytest.raises(FleetCaptainError, match="Local machines do not support"):
        entries(config, {})


@pytest.mark.parametrize("digest", [hashlib.sha512(b"other").hexdigest(), ""])
def test_a_program_that_is_not_the_one_named_is_refused(digest: str) -> None:
    """As Ignition does."""
    contents = {"source": "tools:/etcd", "verification": {"hash": f"sha512-{digest}"}}
    with pytest.raises(FleetCaptainError, match="does not have the hash in the machine's definition"):
        entries({"storage": {"files": [{"path": "/opt/bin/etcd", "contents": contents}]}}, SOURCES)


def registration(machine: str, since: str) -> str:
    """A registration's text."""
    known = {"service": "web", "unit": "web@1.service", "content": "c", "host": "h"}
    return json.dumps({**known, "machine": machine, "since": since})


def test_registrations_older_than_their_machines_start_are_stale() -> None:
    """Those of machines that ran on, or that were written since, are not."""
    values = {
        "old": registration("m1", "2030-01-01T11:59:59Z"),
        "new": registration("m1", "2030-01-01T12:00:01Z"),
        "elsewhere": registration("m2", "2030-01-01T11:00:00Z"),
        "odd": "no registration",
    }
    nodes = [{"key": f"/fleetcaptain/shop/{key}", "value": text, "modifiedIndex": 7} for key, text in values.items()]
    answer = json.dumps({"node": {"dir": True, "nodes": [{"dir": True, "nodes": nodes}]}})
    assert stale(answer, {"m1": datetime(2030, 1, 1, 12, tzinfo=UTC)}) == [("/fleetcaptain/shop/old", 7)]


@pytest.mark.parametrize("answer", ["", "curl: (7) refused", "[]", "[" * 200_000, '{"errorCode": 100}'])
def test_an_etcd_that_does_not_answer_names_nothing(answer: str) -> None:
    """Nothing is removed then."""
    assert stale(answer, {"m1": datetime(2030, 1, 1, tzinfo=UTC)}) == []
