"""The settings of a cluster on AWS: their defaults, and their reading from the stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from components.aws.topology import default_members
from components.aws.validators import (
    ValidationError,
    blocks,
    cluster_size,
    count_of_members,
    flag,
    image_id,
    instance_type,
    key_pair,
    member_name,
    network,
    one_of,
    url,
    whole,
    zones,
)
from fleetcaptain.errors import ClusterRefused

__all__ = ["DEFAULT_TYPE", "Settings", "read"]

_T = TypeVar("_T")

DEFAULT_TYPE = "t3.medium"
_DEFAULT_NETWORK = "10.71.0.0/16"


@dataclass(frozen=True)
class Settings:
    """A cluster of *size* machines, of which *members* keep etcd's data.

    *instance_type*, *key_pair* (the name of an EC2 key pair), *ami_id* ("": Flatcar's newest stable image),
    *allow_ssh_from* (blocks of addresses; none: only through AWS Systems Manager), *discovery_url* ("": the members
    know each other's addresses), *advertised* (``private`` or ``public``: the address that machines advertise),
    *network* (the addresses of the VPC), *zones* (none: the region's first three), *spot* (workers of the spot market),
    *data_gib* and *root_gib* (sizes of disks in GiB), *protect_data* (etcd's volumes cannot be deleted), *renew* (the
    one member that may be replaced now, or ""), *ssh_key* (the private key's file; "": what ssh itself finds),
    *replace_in_windows* (workers may be replaced while a window is open), *renew_workers* (workers may get a newer
    image), *snapshots* (etcd's volumes are copied daily).
    """

    size: int
    members: int
    key_pair: str
    instance_type: str = DEFAULT_TYPE
    ami_id: str = ""
    allow_ssh_from: tuple[str, ...] = ()
    discovery_url: str = ""
    advertised: str = "private"
    network: str = _DEFAULT_NETWORK
    zones: tuple[str, ...] = ()
    spot: bool = False
    data_gib: int = 10
    root_gib: int = 30
    protect_data: bool = True
    renew: str = ""
    ssh_key: str = ""
    replace_in_windows: bool = False
    renew_workers: bool = False
    snapshots: bool = True

    @property
    def workers(self) -> int:
        """The number of machines without etcd's data."""
        return self.size - self.members


def read(get: Callable[[str], str | None], unmet: Sequence[str] = ()) -> Settings:
    """The settings from *get*, which returns the text of a key. Raises ClusterRefused with all invalid settings, and
    then also with what else is *unmet*."""
    problems: list[str] = []

    def value(key: str, default: str, parse: Callable[[str], _T], otherwise: _T) -> _T:
        try:
            return parse((get(key) or default).strip())
        except ValidationError as wrong:
            problems.append(f"fleetcaptain:{key}: {wrong}")
            return otherwise

    size = value("size", "3", cluster_size, 3)
    members = value("members", str(default_members(size)), lambda text: count_of_members(text, size), 3)
    settings = Settings(
        size=size,
        members=members,
        key_pair=value("keyPair", "", key_pair, ""),
        instance_type=value("instanceType", DEFAULT_TYPE, instance_type, DEFAULT_TYPE),
        ami_id=value("amiId", "", image_id, ""),
        allow_ssh_from=value("allowSshFrom", "", blocks, ()),
        discovery_url=value("discoveryUrl", "", url, ""),
        advertised=value("advertisedIpAddress", "private", one_of("private", "public"), "private"),
        network=value("network", _DEFAULT_NETWORK, network, _DEFAULT_NETWORK),
        zones=value("zones", "", zones, ()),
        spot=value("spot", "false", flag, otherwise=False),
        data_gib=value("etcdVolumeGib", "10", whole(4, 1024), 10),
        root_gib=value("rootVolumeGib", "30", whole(10, 1024), 30),
        protect_data=value("protectData", "true", flag, otherwise=True),
        renew=value("renewMember", "", lambda text: member_name(text, members), ""),
        ssh_key=get("sshKey") or "",
        replace_in_windows=get("windows") == "ignore",
        snapshots=value("snapshots", "true", flag, otherwise=True),
        renew_workers=value("renewWorkers", "false", flag, otherwise=False),
    )
    if settings.advertised == "public" and not get("allowSshFrom"):
        problems.append(
            "fleetcaptain:advertisedIpAddress: public requires fleetcaptain:allowSshFrom: AWS Systems Manager knows "
            "machines by their ids, and fleet would list their public addresses"
        )
    if problems:
        raise ClusterRefused(
            "Cannot declare the cluster with these settings. Nothing was changed:", [*problems, *unmet]
        )
    return settings
