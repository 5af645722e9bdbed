"""The machines' definitions on AWS: as in the golden files, short enough, with nothing secret."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from components.aws.userdata import USER_DATA_BYTES, checked, fits, pointer
from fleetcaptain.errors import FleetCaptainError
from tests.unit.aws.declared import declare
from tests.unit.aws.definitions import AROUND, MACHINES, defined
from tests.unit.machine.example_machines import files, units

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", MACHINES)
def test_the_definition_is_as_in_the_golden_file(name: str) -> None:
    """To accept a change, write what it gives now to the file, and read the difference."""
    given = json.dumps(MACHINES[name], indent=1, sort_keys=True) + "\n"
    assert given == (GOLDEN / f"{name}.json").read_text()


@pytest.mark.parametrize("name", MACHINES)
def test_its_scripts_are_scripts(name: str) -> None:
    """The shell reads each to its end."""
    scripts = {path: text for path, text in files(MACHINES[name]).items() if text.startswith("#!/bin/sh")}
    assert scripts
    for path, text in scripts.items():
        done = subprocess.run(["/bin/sh", "-n"], input=text, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), path


@pytest.mark.parametrize("name", MACHINES)
def test_it_fits_into_user_data(name: str) -> None:
    """With some room; a longer one would go through the bucket."""
    assert len(json.dumps(MACHINES[name], separators=(",", ":"))) < USER_DATA_BYTES * 0.95


@pytest.mark.parametrize("name", MACHINES)
def test_nothing_secret_is_in_it(name: str) -> None:
    """Everything on a machine can read its user data: keys are fetched from the bucket, with the machine's own role."""
    text = json.dumps(MACHINES[name])
    assert "PRIVATE KEY" not in text
    assert "BEGIN" not in text
    key = next(file for file in MACHINES[name]["storage"]["files"] if file["path"].endswith("/key.pem"))
    assert key["contents"]["source"].startswith("s3://cluster-boot-0123456/tls/")
    assert key["mode"] == 0o600


@pytest.mark.parametrize("name", MACHINES)
def test_programs_come_from_the_bucket_and_are_checked(name: str) -> None:
    """By their sums."""
    found = {file["path"]: file["contents"] for file in MACHINES[name]["storage"]["files"]}
    for program, sha512 in AROUND.programs.items():
        contents = found[f"/opt/bin/{program}"]
        assert contents["source"] == f"s3://cluster-boot-0123456/bin/{sha512[:16]}/{program}"
        assert contents["verification"] == {"hash": f"sha512-{sha512}"}


@pytest.mark.parametrize("name", MACHINES)
def test_timers_are_on_time(name: str) -> None:
    """By default systemd waits up to a minute more."""
    timers = {unit: text for unit, text in units(MACHINES[name]).items() if "[Timer]" in text}
    assert timers
    assert [unit for unit, text in timers.items() if "\nAccuracySec=1s\n" not in text] == []


def test_members_know_each_other_before_they_are_there() -> None:
    """No discovery is needed; each has the same list."""
    wanted = ",".join(
        f"m{number}=https://10.71.{(number - 1) % 3}.{11 + (number - 1) // 3}:2380" for number in range(1, 6)
    )
    for name in ("m1", "m5"):
        text = units(defined(name))["etcd.service"]
        assert f"ETCD_INITIAL_CLUSTER={wanted}\n" in text
        assert "ETCD_DISCOVERY" not in text


def test_a_discovery_url_takes_the_lists_place() -> None:
    """etcd takes one of the two."""
    text = units(MACHINES["member-public-discovery"])["etcd.service"]
    assert "ETCD_DISCOVERY=https://discovery.example.org/0\n" in text
    assert "ETCD_INITIAL_CLUSTER" not in text


def test_what_is_advertised_is_private_or_public() -> None:
    """To clients and by fleet; what etcd listens on, and its peers, stay private: the public address is not on any
    interface of the machine."""
    for name, address in (("member", "10.71.0.11"), ("member-public-discovery", "203.0.113.7")):
        etcd = units(MACHINES[name])["etcd.service"]
        assert f"ETCD_ADVERTISE_CLIENT_URLS=https://{address}:2378\n" in etcd
        assert "ETCD_LISTEN_PEER_URLS=https://10.71.0.11:2380\n" in etcd
        assert f"FLEET_PUBLIC_IP={address}\n" in files(MACHINES[name])["/etc/fleet/fleet.env"]


def test_etcd_waits_for_its_own_volume() -> None:
    """Which the machine knows by its id."""
    found = files(MACHINES["member"])
    waits = found["/etc/systemd/system/etcd.service.d/10-volume.conf"]
    assert "After=etcd-volume.service\n" in waits
    assert "ExecStartPre=/bin/sh -c 'mountpoint -q /var/lib/etcd'\n" in waits
    assert "nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0" in found["/opt/bin/fleetcaptain-volume"]


@pytest.mark.parametrize(
    ("name", "first", "then"),
    [("member", "etcd-volume.service", "etcd.service.d/10-"), ("worker", "address.service", "fleet.service.d/10-")],
)
def test_a_first_try_that_fails_is_not_the_last(name: str, first: str, then: str) -> None:
    """With ``Requires=`` systemd never starts the second unit, though the first one's next try succeeds."""
    tried = units(MACHINES[name])[first]
    assert "Restart=on-failure\n" in tried
    assert "StartLimitIntervalSec=0\n" in tried
    (waits,) = (text for path, text in files(MACHINES[name]).items() if then in path)
    assert f"Wants={first}\n" in waits
    assert "Requires=" not in waits


def test_a_member_that_is_renewed_says_that_it_is_not_the_first() -> None:
    """It matters only when its data is lost."""
    text = units(defined("m2", renewMember="m2"))["etcd.service"]
    assert "ETCD_INITIAL_CLUSTER_STATE=existing\n" in text
    assert "ETCD_INITIAL_CLUSTER_STATE=new\n" in units(defined("m1", renewMember="m2"))["etcd.service"]


@pytest.mark.parametrize("config", [{}, {"discoveryUrl": "https://discovery.example.org/0"}])
def test_a_member_that_joins_lists_those_that_are_there(config: dict[str, str]) -> None:
    """etcd refuses a list with members that it does not have yet, and a discovery service more than there were."""
    fourth = units(defined("m4", joins=True, **config))["etcd.service"]
    peers = [f"m{number}=https://10.71.{(number - 1) % 3}.{11 + (number - 1) // 3}:2380" for number in range(1, 6)]
    assert f"ETCD_INITIAL_CLUSTER={','.join(peers[:4])}\n" in fourth
    assert "ETCD_INITIAL_CLUSTER_STATE=existing\n" in fourth
    assert "ETCD_DISCOVERY" not in fourth
    assert f"ETCD_INITIAL_CLUSTER={','.join(peers)}\n" in units(defined("m5", joins=True))["etcd.service"]
    assert (
        f"ETCD_INITIAL_CLUSTER={','.join(peers)}\n"
        in units(defined("m4", joins=True, renewMember="m4"))["etcd.service"]
    )


def test_machines_neither_update_nor_restart_by_themselves() -> None:
    """Two members at once would be etcd's end, and a machine with an update would boot another system."""
    assert files(MACHINES["member"])["/etc/flatcar/update.conf"] == "SERVER=disabled\nREBOOT_STRATEGY=off\n"


@pytest.mark.parametrize("name", MACHINES)
def test_containers_do_not_fill_the_disk_with_lines(name: str) -> None:
    """Docker keeps a copy of what is in the journal, without a limit by default."""
    assert json.loads(files(MACHINES[name])["/etc/docker/daemon.json"]) == {
        "log-driver": "json-file",
        "log-opts": {"max-file": "2", "max-size": "10m"},
    }


def test_too_long_a_definition_is_fetched_and_checked() -> None:
    """What EC2 gets is short then; and what is too long all the same is refused here, with words."""
    long = json.dumps({"x": "y" * USER_DATA_BYTES})
    assert not fits(long)
    found = json.loads(checked(pointer("bucket", "config/m1.json", long)))
    replace = found["ignition"]["config"]["replace"]
    assert replace["source"] == "s3://bucket/config/m1.json"
    assert replace["verification"]["hash"] == f"sha512-{hashlib.sha512(long.encode()).hexdigest()}"
    with pytest.raises(FleetCaptainError, match=f"EC2 allows {USER_DATA_BYTES}"):
        checked(long)


def test_a_definition_that_may_be_too_long_goes_to_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the machine that reads it is launched."""
    monkeypatch.setattr("components.aws.userdata.USER_DATA_BYTES", 4096)
    declared = declare()
    put = declared.one("BucketObjectv2", "cluster-m1-config")
    assert json.loads(put["content"])["storage"]
    user_data = json.loads(declared.one("Instance", "cluster-m1")["userData"])
    assert user_data["ignition"]["config"]["replace"]["source"].endswith(put["key"])
