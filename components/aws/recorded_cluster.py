"""What the state knows of a cluster whose etcd has data: its network and zones, which no later update may change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from components.aws.settings import Settings
from components.aws.topology import used_zones
from components.engine.recorded_state import recorded_resources
from fleetcaptain.errors import ClusterRefused

__all__ = ["RecordedCluster", "pinned", "read_recorded", "recorded_in"]

_VPC, _VOLUME = "aws:ec2/vpc:Vpc", "aws:ebs/volume:Volume"


@dataclass(frozen=True)
class RecordedCluster:
    """The *network* of a cluster ("" if its VPC is lost), and member -> the zone of its volume: *zone_of*."""

    network: str
    zone_of: Mapping[str, str]

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones, in the order of the subnets: members are placed in one after the other."""
        return tuple(dict.fromkeys(self.zone_of[name] for name in sorted(self.zone_of, key=_number)))


def _number(member: str) -> int:
    return int(member[1:])


def recorded_in(resources: Mapping[tuple[str, str], Mapping[str, Any]], name: str) -> RecordedCluster | None:
    """The cluster *name* in *resources*, by (type, name); None unless a member's volume is among them: without etcd's
    data everything may move. Pure."""
    zone_of = {
        member[1]: str(outputs["availabilityZone"])
        for (type_, resource), outputs in resources.items()
        if type_ == _VOLUME and (member := re.fullmatch(rf"{re.escape(name)}-(m\d+)-etcd", resource))
    }
    if not zone_of:
        return None
    return RecordedCluster(str(resources.get((_VPC, name), {}).get("cidrBlock", "")), zone_of)


def read_recorded(name: str) -> RecordedCluster | None:
    """The cluster *name* in the stack's state; see `recorded_in`."""
    return recorded_in(recorded_resources((_VPC, _VOLUME)), name)


def pinned(settings: Settings, recorded: RecordedCluster | None) -> Settings:
    """*settings* with the zones of the *recorded* cluster, whatever zones AWS lists today. Pure.

    Raises ClusterRefused if they have another network or other zones: etcd's data has the members' addresses in it,
    and its volumes cannot leave their zones.
    """
    if recorded is None:
        return settings
    problems = []
    if recorded.network and settings.network != recorded.network:
        problems.append(
            f"fleetcaptain:network: the cluster has {recorded.network}, not {settings.network}. Run `pulumi config set "
            f"fleetcaptain:network {recorded.network}`"
        )
    if settings.zones and used_zones(settings.zones) != recorded.zones:
        zones = ",".join(recorded.zones)
        problems.append(
            f"fleetcaptain:zones: the cluster is in {zones}, not {','.join(settings.zones)}. Run `pulumi config set "
            f"fleetcaptain:zones {zones}`"
        )
    if problems:
        problems.append(
            "To have another network or other zones, deploy a new stack with them, and then remove this one"
        )
        raise ClusterRefused(
            "Cannot move the cluster: all members would be replaced at once, and etcd would lose its data. Nothing was "
            "changed:",
            problems,
        )
    return replace(settings, zones=recorded.zones)
