"""The layout of a local cluster, derived from its inputs: names, addresses, members. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleet.project_files import from_project
from fleetcaptain.machine.definition import Member
from fleetcaptain.machine.machine_ports import CLIENT, CLIENT_TLS

__all__ = [
    "SIZES",
    "Layout",
    "certificates_in",
    "machine_names",
    "member_count",
    "member_names",
    "preferred_port",
    "prefix_of",
    "subnets",
]

SIZES = range(1, 8)
_QUORUM_FROM = 3
_REGISTRY_HOST, _FIRST_HOST = 2, 11


def member_count(size: int) -> int:
    """How many of *size* machines are members of etcd: 3 survive the loss of one, 2 would survive none."""
    return _QUORUM_FROM if size >= _QUORUM_FROM else 1


def member_names(size: int) -> frozenset[str]:
    """The names of etcd's members in a cluster of *size* machines."""
    return frozenset(f"m{number}" for number in range(1, member_count(size) + 1))


def machine_names(size: int) -> tuple[str, ...]:
    """The names of *size* machines."""
    return tuple(f"m{number}" for number in range(1, size + 1))


def prefix_of(identity: str) -> str:
    """The prefix of the names of a cluster's containers, volumes and network."""
    return "fc-" + identity.replace("/", "-")


def certificates_in(home: Path) -> Path:
    """The folder of a stack's authority and certificates; *home* is the stack's folder."""
    return home / "tls"


def subnets(seed: str) -> Iterator[str]:
    """The subnets to try for a stack, in an order that depends on *seed* only."""
    start = int(hashlib.sha256(seed.encode()).hexdigest(), 16) % 16384
    for step in range(64):
        number = (start + step) % 16384
        yield f"10.{64 + number // 256}.{number % 256}.0/24"


def preferred_port(seed: str) -> int:
    """The port to try first for a stack's registry on this computer."""
    return 20000 + int(hashlib.sha256(seed.encode()).hexdigest(), 16) % 10000


@dataclass(frozen=True)
class Layout:
    """A local cluster: *identity* (``project/stack/<random>``), *size*, *subnet*, *registry_port* on this computer, the
    folder *home* with its key, *metadata* for all machines and single ones (by name), the *image* that machines boot,
    whether etcd speaks *tls*, and the directories of etcd that are open to containers. Paths are relative to the
    project's folder."""

    identity: str
    size: int
    subnet: str
    registry_port: int
    home: Path
    image: str
    tools: Path
    agent_ttl_sec: int = 30
    metadata: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    tls: bool = False
    open_dirs: tuple[str, ...] = ()

    @classmethod
    def of(cls, props: Mapping[str, Any]) -> Layout:
        """The layout in a resource's inputs, also in those that an earlier version wrote."""
        return cls(
            identity=props["identity"],
            size=int(props["size"]),
            subnet=props["subnet"],
            registry_port=int(props["registry_port"]),
            home=from_project(props["home"]),
            image=props["image"],
            tools=from_project(props["tools"]),
            agent_ttl_sec=int(props["agent_ttl_sec"]),
            metadata=dict(props["metadata"]),
            # A state from an earlier version lacks these.
            tls=bool(props.get("tls")),
            open_dirs=tuple(props.get("open_dirs") or ()),
        )

    @property
    def prefix(self) -> str:
        """See `prefix_of`."""
        return prefix_of(self.identity)

    @property
    def names(self) -> tuple[str, ...]:
        """The machines' names."""
        return machine_names(self.size)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Machine name -> address."""
        return {name: self.address_of(name) for name in self.names}

    def address_of(self, name: str) -> str:
        """The address of a machine, also of one that is being removed."""
        return str(IPv4Network(self.subnet)[_FIRST_HOST + int(name.removeprefix("m")) - 1])

    @property
    def registry_address(self) -> str:
        """The registry's address on the cluster's network."""
        return str(IPv4Network(self.subnet)[_REGISTRY_HOST])

    @property
    def members(self) -> tuple[Member, ...]:
        """etcd's members: the first machines."""
        return tuple(Member(name, self.addresses[name]) for name in self.names[: member_count(self.size)])

    @property
    def etcd_urls(self) -> tuple[str, ...]:
        """etcd's URLs on the network: the members; with TLS only clients with a certificate can use them."""
        scheme, port = ("https", CLIENT_TLS) if self.tls else ("http", CLIENT)
        return tuple(f"{scheme}://{member.address}:{port}" for member in self.members)

    @property
    def members_file(self) -> Path:
        """The file with the names of etcd's members, as last seen."""
        return self.home / "members.json"

    @property
    def certificates(self) -> Path:
        """See `certificates_in`."""
        return certificates_in(self.home)

    @property
    def key(self) -> Path:
        """The private SSH key for every machine."""
        return self.home / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The machines' host keys, as first seen."""
        return self.home / "known_hosts"

    def metadata_of(self, name: str) -> dict[str, str]:
        """A machine's metadata in fleet: its name, one of three zones, and the configured metadata, its own last."""
        number, own = self.names.index(name), self.metadata.get(name, {})
        of_all = {key: value for key, value in self.metadata.items() if isinstance(value, str)}
        its_own = {} if isinstance(own, str) else own
        return {"name": name, "zone": f"z{number % _QUORUM_FROM + 1}", **of_all, **its_own}

    def machine_id(self, name: str) -> str:
        """The ``/etc/machine-id`` of a machine, which is also fleet's id: it survives a new container."""
        return hashlib.sha256(f"{self.identity}/{name}".encode()).hexdigest()[:32]

    def connection(self) -> dict[str, Any]:
        """The connection; see `Connection`."""
        return {
            "kind": ClusterKind.LOCAL.value,
            "stack": self.identity,
            "ssh": [f"core@{address}" for address in self.addresses.values()],
            "key": str(self.key),
            "known_hosts": str(self.known_hosts),
        }


def overlaps(subnet: str, taken: Collection[str]) -> bool:
    """Whether *subnet* has addresses in common with one of *taken*."""
    return any(IPv4Network(subnet).overlaps(IPv4Network(other, strict=False)) for other in taken)
