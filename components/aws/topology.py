"""The topology of a cluster on AWS, from its settings alone: machines, subnets, addresses, ports. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address

from fleetcaptain.fleetfile.ports import FREE_PORTS
from fleetcaptain.fleetfile.public_routes import public_routes
from fleetcaptain.fleetfile.values import App

__all__ = [
    "MEMBER_COUNTS",
    "MemberSlot",
    "Opening",
    "Subnet",
    "default_members",
    "member_names",
    "openings",
    "places",
    "public_ports",
    "reserved_block",
    "subnets",
    "used_zones",
]

MEMBER_COUNTS = (3, 5)
_FIVE_FROM = 7
_MOST_ZONES = 3
_SUBNET_BITS = 8
# AWS reserves the first four addresses of a subnet.
_FIRST_HOST = 11
_RESERVED_FROM, _RESERVED_PREFIX = 8, 29


@dataclass(frozen=True)
class Subnet:
    """The subnet ``s<number>`` with the addresses *block*, in the availability *zone*."""

    name: str
    zone: str
    block: str


@dataclass(frozen=True)
class MemberSlot:
    """A member's *name*, its fixed private *address*, and the *subnet* that it is in."""

    name: str
    address: str
    subnet: Subnet


def default_members(size: int) -> int:
    """The number of *size* machines that keep etcd's data: three survive the loss of one, five that of two; more
    members only make etcd slower (etcd's own advice)."""
    return 5 if size >= _FIVE_FROM else 3


def member_names(count: int) -> tuple[str, ...]:
    """The names of *count* members."""
    return tuple(f"m{number}" for number in range(1, count + 1))


def used_zones(zones: Sequence[str]) -> tuple[str, ...]:
    """Those of *zones* that get a subnet, in the order of the subnets."""
    return tuple(sorted(zones)[:_MOST_ZONES])


def subnets(network: str, zones: Sequence[str]) -> tuple[Subnet, ...]:
    """One subnet for each of the first three *zones*. With two of them the loss of the wrong zone costs the quorum."""
    blocks = IPv4Network(network).subnets(prefixlen_diff=_SUBNET_BITS)
    numbered = enumerate(zip(used_zones(zones), blocks, strict=False), 1)
    return tuple(Subnet(f"s{number}", zone, str(block)) for number, (zone, block) in numbered)


def places(count: int, among: Sequence[Subnet]) -> tuple[MemberSlot, ...]:
    """The places of the *count* members: in one subnet after the other."""
    found = []
    for number, name in enumerate(member_names(count)):
        subnet = among[number % len(among)]
        address = IPv4Network(subnet.block)[_FIRST_HOST + number // len(among)]
        found.append(MemberSlot(name, str(address), subnet))
    return tuple(found)


def reserved_block(subnet: Subnet) -> str:
    """The addresses of *subnet* that AWS gives to nothing by itself: those of its members, and a few around them. The
    first four are AWS's own, so it begins after them."""
    return f"{IPv4Network(subnet.block)[_RESERVED_FROM]}/{_RESERVED_PREFIX}"


@dataclass(frozen=True, order=True)
class Opening:
    """The ports *first* to *last* of a *protocol* (``tcp``, ``udp``)."""

    protocol: str
    first: int
    last: int


def openings(app: App) -> tuple[Opening, ...]:
    """Every port of a machine at which other machines may find a service of *app*."""
    found = set()
    for spec in app.services:
        for port in spec.ports:
            if port.address is None or not ip_address(port.address).is_loopback:
                first, last = (port.host, port.host_last or port.host) if port.host else FREE_PORTS
                found.add(Opening(port.protocol, first, last))
    return tuple(sorted(found))


def public_ports(app: App) -> tuple[int, ...]:
    """The public ports of *app*. Its proxy listens on them on every machine."""
    return tuple(dict.fromkeys(public.route.port for public in public_routes(app)))
