"""What can be set, with the bounds of the CloudFormation template that CoreOS published; all mistakes in one report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.aws.settings import DEFAULT_TYPE, Settings, read
from fleetcaptain.errors import ClusterRefused

ROOT = Path(__file__).resolve().parents[3]
GOOD = {"keyPair": "ann"}


def problems(**config: str) -> tuple[str, ...]:
    """All that is said to be wrong with *config*."""
    with pytest.raises(ClusterRefused) as raised:
        read({**GOOD, **config}.get)
    return raised.value.problems


def test_a_key_pair_is_all_that_has_to_be_said() -> None:
    """The rest has defaults, and none of them opens anything to the world."""
    found = read(GOOD.get)
    assert found == Settings(size=3, members=3, key_pair="ann", instance_type=DEFAULT_TYPE)
    assert found.allow_ssh_from == ()


def test_everything_that_was_a_parameter_can_be_set() -> None:
    """All six of the old template."""
    config = {
        "instanceType": "m6i.large",
        "size": "12",
        "discoveryUrl": "https://discovery.example.org/0a",
        "advertisedIpAddress": "public",
        "allowSshFrom": "198.51.100.0/24, 203.0.113.7/32",
        "keyPair": "ann",
    }
    assert read(config.get) == Settings(
        size=12,
        members=5,
        key_pair="ann",
        instance_type="m6i.large",
        discovery_url="https://discovery.example.org/0a",
        advertised="public",
        allow_ssh_from=("198.51.100.0/24", "203.0.113.7/32"),
    )


def test_all_mistakes_are_in_one_report() -> None:
    """Each with its key."""
    found = problems(
        size="13",
        instanceType="t4g.medium",
        allowSshFrom="0.0.0.0/0",
        discoveryUrl="discovery",
        keyPair="",
        members="4",
    )
    keys = [problem.split(": ")[0].removeprefix("fleetcaptain:") for problem in found]
    assert keys == ["size", "members", "keyPair", "instanceType", "allowSshFrom", "discoveryUrl"]


_RULES = [
    ("size", "2", "from 3 to 12"),
    ("size", "13", "from 3 to 12"),
    ("size", "three", "from 3 to 12"),
    ("size", "-3", "from 3 to 12"),
    ("members", "4", "3 of 3 machines"),
    ("members", "5", "3 of 3 machines"),
    ("keyPair", " ", "the name of an EC2 key pair is required"),
    ("instanceType", "t4g.medium", "not amd64"),
    ("instanceType", "a1.large", "not amd64"),
    ("instanceType", "im4gn.large", "not amd64"),
    ("instanceType", "c7gn.large", "not amd64"),
    ("instanceType", "x2gd.large", "not amd64"),
    ("instanceType", "mac2.metal", "not amd64"),
    ("instanceType", "large", "must be an instance type"),
    ("allowSshFrom", "0.0.0.0/0", "open to the Internet"),
    ("allowSshFrom", "198.51.100.7/32,0.0.0.0/1", "open to the Internet"),
    ("allowSshFrom", "::/0", "only IPv4 addresses"),
    ("allowSshFrom", "198.51.100.7/24", "must be a block of addresses"),
    ("allowSshFrom", "anywhere", "must be a block of addresses"),
    ("discoveryUrl", "ftp://discovery.example.org", "must be an http(s) URL"),
    ("discoveryUrl", "https://", "must be an http(s) URL"),
    ("discoveryUrl", "http://host:port/", "must be an http(s) URL"),
    ("advertisedIpAddress", "both", "must be private or public"),
    ("amiId", "Flatcar", "must be the id of an AMI"),
    ("network", "8.8.0.0/16", "a private block"),
    ("network", "10.0.0.0/24", "a private block"),
    ("zones", "eu-west-1a", "2 or more zones"),
    ("zones", "a,b", "2 or more zones"),
    ("spot", "yes", "true or false"),
    ("etcdVolumeGib", "0", "from 4 to 1024"),
    ("renewMember", "m4", "must be one of the members m1, m2, m3"),
]


@pytest.mark.parametrize(("key", "value", "wanted"), _RULES)
def test_a_mistake_is_reported(key: str, value: str, wanted: str) -> None:
    """One mistake, one message, which names the key."""
    (found,) = problems(**{key: value})
    assert found.startswith(f"fleetcaptain:{key}: ")
    assert wanted in found


@pytest.mark.parametrize(
    "name", ["t3.medium", "m6i.large", "g4dn.xlarge", "m7i-flex.large", "c6id.metal", "u-6tb1.metal"]
)
def test_other_types_are_taken(name: str) -> None:
    """A `g` before the generation is no Graviton."""
    assert read({**GOOD, "instanceType": name}.get).instance_type == name


@pytest.mark.parametrize(("size", "members"), [(3, 3), (6, 3), (7, 5), (12, 5)])
def test_three_machines_keep_etcds_data_or_five(size: int, members: int) -> None:
    """Never an even number; the others are workers."""
    found = read({**GOOD, "size": str(size)}.get)
    assert (found.members, found.workers) == (members, size - members)


def test_a_cluster_may_grow_without_another_etcd() -> None:
    """The number of members can be said."""
    assert read({**GOOD, "size": "9", "members": "3"}.get).members == 3


def test_every_setting_is_in_the_projects_description() -> None:
    """`pulumi config` refuses nothing that is read here, and tells what it means."""
    described = set(re.findall(r"^  fleetcaptain:(\w+):$", (ROOT / "Pulumi.yaml").read_text(), re.MULTILINE))
    asked: set[str] = set()

    def get(key: str) -> str:
        asked.add(key)
        return GOOD.get(key, "")

    read(get)
    assert asked <= described


def test_systems_manager_does_not_know_public_addresses() -> None:
    """It connects to ids of instances, and fleet would list addresses."""
    (found,) = problems(advertisedIpAddress="public", allowSshFrom="")
    assert "requires fleetcaptain:allowSshFrom" in found
