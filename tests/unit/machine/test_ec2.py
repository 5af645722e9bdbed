"""What only a machine on EC2 does for itself: its scripts are run, against a pretended metadata service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcaptain.machine import ec2
from tests.unit.machine.imds import METADATA, Pretended, script

PLACES = {"/etc/environment": "environment", "/etc/fleet/machine.env": "machine.env"}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Pretended]:
    """A worker that has just booted."""
    with Pretended(tmp_path, dict(METADATA)) as machine:
        yield machine


@pytest.mark.parametrize(("advertised", "address"), [("private", "10.71.0.50"), ("public", "203.0.113.50")])
def test_a_machine_finds_its_own_addresses(machine: Pretended, advertised: str, address: str) -> None:
    """CoreOS's names for units, fleet's for fleet: with its name and its zone."""
    done = machine.run(script(ec2.address("role=worker", advertised)[0]), PLACES)
    assert done.returncode == 0, done.stderr
    assert (machine.folder / "environment").read_text() == (
        "COREOS_PRIVATE_IPV4=10.71.0.50\nCOREOS_PUBLIC_IPV4=203.0.113.50\n"
    )
    assert (machine.folder / "machine.env").read_text() == (
        f"FLEET_PUBLIC_IP={address}\nFLEET_METADATA=name=i-0abc,zone=eu-west-1b,role=worker\n"
    )


def test_a_machine_without_a_public_address_has_its_private_one(tmp_path: Path) -> None:
    """Nothing is left empty."""
    metadata = {key: value for key, value in METADATA.items() if key != "public-ipv4"}
    with Pretended(tmp_path, metadata) as machine:
        assert machine.run(script(ec2.address("role=worker", "public")[0]), PLACES).returncode == 0
        assert "FLEET_PUBLIC_IP=10.71.0.50\n" in (tmp_path / "machine.env").read_text()


@pytest.mark.parametrize("state", [{}, {"autoscaling/target-lifecycle-state": "InService"}])
def test_nothing_is_touched_on_a_machine_that_stays(tmp_path: Path, state: dict[str, str]) -> None:
    """The timer asks every five seconds."""
    with Pretended(tmp_path, {**METADATA, **state}) as machine:
        for name in ("systemctl", "sleep"):
            machine.stub(name)
        done = machine.run(script(ec2.drain("eu-west-1")[0]), {})
        assert done.returncode == 0, done.stderr
        assert machine.calls == []


def test_the_timer_is_as_exact_as_it_says() -> None:
    """By default systemd would look only once a minute, half of what a spot instance has."""
    timer = next(unit for unit in ec2.drain("eu-west-1")[1] if unit.name == "drain.timer")
    assert "OnUnitInactiveSec=5\nAccuracySec=1s\n" in timer.text


@pytest.mark.parametrize(("found", "formatted"), [(2, True), (0, False), (1, False)])
def test_only_an_empty_volume_is_formatted(machine: Pretended, found: int, formatted: bool) -> None:
    """What blkid finds, or cannot read, is somebody's data: a machine that is replaced finds it again."""
    machine.stub("blkid", f"exit {found}")
    for name in ("mkfs.ext4", "mount", "chmod", "mkdir"):
        machine.stub(name)
    text = script(ec2.volume("vol-0123456789abcdef0")[0])
    assert "nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0" in text
    # Of a block device this machine has none to spare.
    done = machine.run(text.replace("[ -b $device ]", "true"), {})
    assert done.returncode == 0, done.stderr
    assert any(call.startswith("mkfs.ext4") for call in machine.calls) is formatted
    assert machine.calls[-2].startswith("mount /dev/disk/by-id/nvme-")
    assert machine.calls[-2].endswith(" /var/lib/etcd")
