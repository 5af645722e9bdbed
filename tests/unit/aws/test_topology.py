"""Where members are, and which ports and images an app asks for: from values alone."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from components.aws.topology import Opening, openings, places, public_ports, reserved_block, subnets
from fleetcaptain.release.repositories import repositories
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from tests.unit.fleetfile.written import app

ZONES = ("eu-west-1c", "eu-west-1a", "eu-west-1b", "eu-west-1d")


@pytest.mark.parametrize("zones", [2, 3, 4])
@pytest.mark.parametrize("count", [3, 5])
def test_the_loss_of_a_zone_costs_as_few_members_as_can_be(zones: int, count: int) -> None:
    """With three zones a quorum always remains; with two it may not."""
    found = places(count, subnets("10.71.0.0/16", ZONES[:zones]))
    lost = max(sum(1 for place in found if place.subnet.zone == zone) for zone in ZONES)
    assert lost == -(-count // min(zones, 3))
    assert len({place.subnet.zone for place in found}) == min(zones, 3)


@pytest.mark.parametrize("network", ["10.71.0.0/16", "192.168.64.0/18", "10.9.0.0/20"])
def test_addresses_are_known_before_there_are_machines(network: str) -> None:
    """Each in its own subnet, and none that AWS keeps to itself."""
    split = subnets(network, ZONES)
    found = places(5, split)
    assert len({place.address for place in found}) == 5
    for place in found:
        block = IPv4Network(place.subnet.block)
        assert block.subnet_of(IPv4Network(network))
        assert IPv4Address(place.address) in list(block.hosts())[3:]
        # Nothing else gets it.
        reserved = IPv4Network(reserved_block(place.subnet))
        assert IPv4Address(place.address) in reserved
        assert reserved.subnet_of(block)
        assert not set(reserved) & set(list(block)[:4])
    assert not any(
        IPv4Network(one.block).overlaps(IPv4Network(two.block)) for one in split for two in split if one != two
    )


def test_a_member_keeps_its_address_when_there_are_more() -> None:
    """Else three of them would change at once."""
    split = subnets("10.71.0.0/16", ZONES)
    assert places(5, split)[:3] == places(3, split)


def test_machines_reach_each_other_where_services_are_published(tmp_path: Path) -> None:
    """At those ports, at docker's own choice where there is no number, and not at the loopback's."""
    services = (
        'Service("web", ports=["8080-8089:80", "53:53/udp"]),'
        'Service("redis", ports=[6379]),Service("admin", ports=["127.0.0.1:9000:9000"])'
    )
    assert openings(app(tmp_path, services)) == (
        Opening("tcp", 8080, 8089),
        Opening("tcp", 32768, 60999),
        Opening("udp", 53, 53),
    )


def test_a_public_port_is_there_once(tmp_path: Path) -> None:
    """However many services have a route of it."""
    services = """
        Service("web", ports=[80], public=[443, HttpRoute(80, path="/web")]),
        Service("api", ports=[80], public=HttpRoute(80)),
        Service("db", ports=[80]),
    """
    assert public_ports(app(tmp_path, services)) == (80, 443)


def test_there_is_a_repository_for_each_image_that_is_built(tmp_path: Path) -> None:
    """One image that services share has one; what is only pulled, or never run, has none."""
    for folder in ("logs", "unused"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Dockerfile").touch()
    services = (
        'Service("web"),Service("mail"),Service("redis", image="redis:7"),Service("logs", image=Build("logs")),'
        'Service("own", image=Build("unused"), start="/bin/true", before_start=[], stop=[], after_stop=[])'
    )
    found = app(tmp_path, services)
    texts = {spec.name: render(spec, Mark("shop", "p/s", spec.name)) for spec in found.services}
    assert repositories(found, texts) == ("acme/shop", "shop/logs")
