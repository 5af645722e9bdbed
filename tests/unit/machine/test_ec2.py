"""What only a machine on EC2 does for itself: its scripts are run, against a pretended metadata service."""

from __future__ import annotations

import subprocess
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


MEBIBYTE = 1024 * 1024
DISK = "/dev/xvdf"


def prepare(machine: Pretended, blkid: str, disk: bytes, grow: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script of a volume whose content is *disk*; *blkid* and *grow* are what blkid and resize2fs do, in sh."""
    machine.stub("blkid", blkid)
    machine.stub("resize2fs", grow)
    for name in ("mkfs.ext4", "mount", "chmod", "mkdir"):
        machine.stub(name)
    machine.stub("mountpoint", "exit 1")
    (machine.folder / "disk").write_bytes(disk)
    text = script(ec2.volume("vol-0123456789abcdef0")[0])
    assert "nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0" in text
    # This machine has no block device to spare.
    return machine.run(text.replace("[ -b $device ]", "[ -e $device ]"), {DISK: "disk"})


def test_a_volume_of_zeros_is_formatted_and_mounted(machine: Pretended) -> None:
    """As a new one is."""
    done = prepare(machine, "exit 2", bytes(2 * MEBIBYTE))
    assert done.returncode == 0, done.stderr
    disk = str(machine.folder / "disk")
    assert [call for call in machine.calls if disk in call] == [
        f"blkid -p {disk}",
        f"mkfs.ext4 -q -L etcd {disk}",
        f"mount {disk} /var/lib/etcd",
        f"resize2fs {disk}",
    ]


@pytest.mark.parametrize("found", [0, 8])
def test_a_volume_with_data_is_not_formatted(machine: Pretended, found: int) -> None:
    """A machine that is replaced finds its data, also on a volume that has grown. What blkid does not understand (8) is
    left to mount."""
    done = prepare(machine, f"exit {found}", bytes(2 * MEBIBYTE))
    assert done.returncode == 0, done.stderr
    calls = [call.split()[0] for call in machine.calls]
    assert "mkfs.ext4" not in calls
    assert calls.index("mount") < calls.index("resize2fs"), "only a mounted file system can grow without a check"


@pytest.mark.parametrize(
    "disk",
    [
        pytest.param(b"", id="unreadable"),
        pytest.param(bytes(MEBIBYTE - 1), id="readable to a point"),
        pytest.param(bytes(MEBIBYTE - 1) + b"x" + bytes(MEBIBYTE), id="with data"),
    ],
)
def test_a_volume_that_is_not_proven_empty_is_not_formatted(machine: Pretended, disk: bytes) -> None:
    """blkid says 2 also of a disk that it could not read."""
    done = prepare(machine, "exit 2", disk)
    assert done.returncode != 0
    assert "is not formatted: blkid finds nothing" in done.stderr
    assert [call.split()[0] for call in machine.calls] == ["blkid"], "etcd must not start without its data"


def test_a_file_system_that_does_not_grow_is_mounted_all_the_same(machine: Pretended) -> None:
    """etcd is worth more than the room."""
    done = prepare(machine, "exit 0", b"", grow="exit 1")
    assert done.returncode == 0, done.stderr
    assert "was not enlarged" in done.stderr
