"""A cluster with data stays in its network and zones, which the state of its stack knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from components.aws.recorded_cluster import recorded_in
from components.aws.settings import Settings
from fleetcaptain.errors import ClusterRefused
from tests.unit.aws.declared import ZONES, declare

URN = "urn:pulumi:prod::fleetcaptain::fleetcaptain:cluster:CoreOSCluster$"


def state(*, network: str = Settings(3, 3, "ann").network, volumes: bool = True) -> Mapping[str, Any]:
    """What the state has of a cluster of three members in `ZONES`, with their *volumes*."""
    found: dict[str, Any] = {
        f"{URN}aws:ec2/vpc:Vpc::cluster": {"type": "aws:ec2/vpc:Vpc", "outputs": {"cidrBlock": network}},
        f"{URN}aws:ec2/subnet:Subnet::cluster-s1": {"type": "aws:ec2/subnet:Subnet", "outputs": {}},
    }
    if volumes:
        for number, zone in enumerate(ZONES, 1):
            found[f"{URN}aws:ebs/volume:Volume::cluster-m{number}-etcd"] = {
                "type": "aws:ebs/volume:Volume",
                "outputs": {"availabilityZone": zone},
            }
    return found


def refused(config: Mapping[str, str], **more: Any) -> str:
    """Why the settings *config* are refused. Nothing is declared then but the cluster itself."""
    with pytest.raises(ClusterRefused) as told:
        declare(config, recorded=state(), **more)
    return str(told.value)


def test_another_network_moves_no_member() -> None:
    """etcd's peers would look for each other at the old addresses. How to go back is said, and how to go on."""
    text = refused({"network": "10.72.0.0/16"})
    assert "`pulumi config set fleetcaptain:network 10.71.0.0/16`" in text
    assert "deploy a new stack" in text


@pytest.mark.parametrize("zones", ["eu-west-1a,eu-west-1b", "eu-west-1b,eu-west-1c,eu-west-1d"])
def test_other_zones_move_no_member(zones: str) -> None:
    """A volume cannot leave its zone."""
    text = refused({"zones": zones}, zones=(*ZONES, "eu-west-1d"))
    assert "`pulumi config set fleetcaptain:zones eu-west-1a,eu-west-1b,eu-west-1c`" in text


@pytest.mark.parametrize("today", [ZONES[1:], ("eu-west-1-new", *ZONES), ZONES[:1]])
def test_a_zone_that_comes_or_fails_changes_nothing(today: tuple[str, ...]) -> None:
    """AWS lists no zone that is impaired, and may have new ones; the cluster stays where its data is."""
    declared = declare({}, zones=today, recorded=state())
    assert {subnet["availabilityZone"] for subnet in declared.of("Subnet").values()} == set(ZONES)


def test_more_zones_than_are_used_may_be_configured() -> None:
    """The first three get a subnet, in whatever order they are written."""
    declared = declare({"zones": ",".join(reversed([*ZONES, "eu-west-1d"]))}, recorded=state())
    assert len(declared.of("Subnet")) == 3


def test_what_has_no_data_may_move() -> None:
    """A first update that failed before it made a volume can be corrected."""
    declared = declare({"network": "10.72.0.0/16", "zones": ",".join(ZONES[:2])}, recorded=state(volumes=False))
    assert len(declared.of("Subnet")) == 2


def test_zones_are_in_the_order_of_the_subnets() -> None:
    """Ten members are sorted by their numbers; two zones have several members each. A lost VPC is no other network."""
    type_ = "aws:ebs/volume:Volume"
    volumes = {
        (type_, f"cluster-m{number}-etcd"): {"availabilityZone": f"z{number % 2}"} for number in range(10, 0, -1)
    }
    other = {(type_, "other-m1-etcd"): {"availabilityZone": "z9"}, (type_, "cluster-m1"): {"availabilityZone": "z8"}}
    found = recorded_in({**volumes, **other}, "cluster")
    assert found is not None
    assert (found.network, found.zones) == ("", ("z1", "z0"))
    assert recorded_in(other, "cluster") is None
