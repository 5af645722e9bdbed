"""What a cluster on AWS is made of, from its settings alone: which machines keep etcd's data, where, and at which
address. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

__all__ = ["MEMBER_COUNTS", "Place", "Subnet", "default_members", "places", "subnets"]

MEMBER_COUNTS = (3, 5)
_FIVE_FROM = 7
_MOST_ZONES = 3
_SUBNET_BITS = 8
# AWS keeps the first four addresses of a subnet to itself.
_FIRST_HOST = 11


@dataclass(frozen=True)
class Subnet:
    """The subnet ``s<number>`` with the addresses *block*, in the availability *zone*."""

    name: str
    zone: str
    block: str


@dataclass(frozen=True)
class Place:
    """A member's *name*, its fixed private *address*, and the *subnet* that it is in."""

    name: str
    address: str
    subnet: Subnet


def default_members(size: int) -> int:
    """How many of *size* machines keep etcd's data: three survive the loss of one, five that of two; more members only
    make etcd slower (etcd's own advice)."""
    return 5 if size >= _FIVE_FROM else 3


def subnets(network: str, zones: Sequence[str]) -> tuple[Subnet, ...]:
    """One subnet for each of the first three *zones*. With two of them the loss of the wrong zone costs the quorum."""
    blocks = IPv4Network(network).subnets(prefixlen_diff=_SUBNET_BITS)
    chosen = sorted(zones)[:_MOST_ZONES]
    numbered = enumerate(zip(chosen, blocks, strict=False), 1)
    return tuple(Subnet(f"s{number}", zone, str(block)) for number, (zone, block) in numbered)


def places(count: int, among: Sequence[Subnet]) -> tuple[Place, ...]:
    """Where the *count* members are: in one subnet after the other."""
    found = []
    for number in range(count):
        subnet = among[number % len(among)]
        address = IPv4Network(subnet.block)[_FIRST_HOST + number // len(among)]
        found.append(Place(f"m{number + 1}", str(address), subnet))
    return tuple(found)
