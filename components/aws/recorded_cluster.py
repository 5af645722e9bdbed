"""What the state knows of a cluster whose etcd has data: its network, zones and volumes, which no later update may move
or shrink; its members; and its workers, whose image stays until it is renewed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from components.aws.recorded_types import GROUP, INSTANCE, JOINED, READY, SUBNET, TEMPLATE, VOLUME, VPC
from components.aws.settings import Settings
from components.aws.topology import member_names, used_zones
from components.aws.validators import SIZES

__all__ = [
    "RecordedCluster",
    "RecordedMachine",
    "joined_members",
    "new_members",
    "notices",
    "pinned",
    "recorded_in",
    "refused_changes",
    "workers_image",
    "workers_in",
]

# The template of workers that always run comes first.
_TEMPLATES = ("worker", "windows")


@dataclass(frozen=True)
class RecordedMachine:
    """The *image*, *instance_type* and *key_pair* with which a machine was made."""

    image: str
    instance_type: str
    key_pair: str


@dataclass(frozen=True)
class RecordedCluster:
    """The *network* of a cluster ("" if its VPC is lost), and its *zones* in the order of the subnets; none until a
    member's machine was made, because nothing has data before. The size of its largest volume: *volume_gib*.
    Member -> its machine: *machines*. The number of its *workers*, and their *workers_image* ("" if it has none).
    *members*: those that etcd had when the cluster was last ready (none before that), and *joined*: those that were
    added to it."""

    network: str
    zones: tuple[str, ...]
    volume_gib: int = 0
    machines: Mapping[str, RecordedMachine] = field(default_factory=dict)
    workers: int = 0
    workers_image: str = ""
    members: frozenset[str] = frozenset()
    joined: frozenset[str] = frozenset()


def recorded_in(resources: Mapping[tuple[str, str], Mapping[str, Any]], name: str) -> RecordedCluster | None:
    """The cluster *name* in *resources*, by (type, name); None unless a member's volume is among them: without etcd's
    data everything may move. Pure."""
    volumes = {
        member[1]: outputs
        for (type_, resource), outputs in resources.items()
        if type_ == VOLUME and (member := re.fullmatch(rf"{re.escape(name)}-(m\d+)-etcd", resource))
    }
    if not volumes:
        return None
    machines = {
        member: RecordedMachine(*(str(outputs.get(key, "")) for key in ("ami", "instanceType", "keyName")))
        for member in volumes
        if (outputs := resources.get((INSTANCE, f"{name}-{member}"))) is not None
    }
    subnets = (outputs for (type_, _), outputs in resources.items() if type_ == SUBNET)
    # A subnet or a volume may be lost. All of them are made before the first machine.
    zones = sorted({str(outputs["availabilityZone"]) for outputs in (*subnets, *volumes.values())})
    is_made = bool(machines) or (READY, name) in resources
    images = [str(resources.get((TEMPLATE, f"{name}-{part}"), {}).get("imageId", "")) for part in _TEMPLATES]
    return RecordedCluster(
        str(resources.get((VPC, name), {}).get("cidrBlock", "")),
        tuple(zones) if is_made else (),
        max(int(outputs.get("size") or 0) for outputs in volumes.values()),
        machines,
        workers_in(resources, name),
        next(filter(None, images), ""),
        frozenset(resources.get((READY, name), {}).get("members") or ()),
        frozenset(member for member in volumes if (JOINED, f"{name}-{member}") in resources),
    )


def workers_in(resources: Mapping[tuple[str, str], Mapping[str, Any]], name: str) -> int:
    """The number of workers of the cluster *name* in *resources*, by (type, name). Pure."""
    return int(resources.get((GROUP, f"{name}-workers"), {}).get("desiredCapacity") or 0)


def pinned(settings: Settings, recorded: RecordedCluster | None) -> Settings:
    """*settings* with the zones of the *recorded* cluster, whatever zones AWS lists today. Pure."""
    if recorded is None:
        return settings
    return replace(settings, zones=recorded.zones or settings.zones)


def refused_changes(settings: Settings, recorded: RecordedCluster | None) -> list[str]:
    """What *settings* change of the *recorded* cluster that must stay. Pure.

    Its network and zones: etcd's data has the members' addresses in it, and its volumes cannot leave their zones. The
    size of volumes, which EBS cannot shrink. And etcd would get fewer members, or more while one is renewed.
    """
    if recorded is None:
        return []
    problems = []
    if recorded.zones and recorded.network and settings.network != recorded.network:
        problems.append(
            f"fleetcaptain:network: the cluster has {recorded.network}, not {settings.network}. Run `pulumi config set "
            f"fleetcaptain:network {recorded.network}`"
        )
    if recorded.zones and settings.zones and used_zones(settings.zones) != recorded.zones:
        zones = ",".join(recorded.zones)
        problems.append(
            f"fleetcaptain:zones: the cluster is in {zones}, not {','.join(settings.zones)}. Run `pulumi config set "
            f"fleetcaptain:zones {zones}`"
        )
    if problems:
        problems.append(
            "Another network or other zones would replace all members at once, and etcd would lose its data. To have "
            "them, deploy a new stack with them, and then remove this one"
        )
    if settings.data_gib < recorded.volume_gib:
        problems.append(
            f"fleetcaptain:etcdVolumeGib: the volumes have {recorded.volume_gib} GiB and cannot shrink. Run `pulumi "
            f"config set fleetcaptain:etcdVolumeGib {recorded.volume_gib}`"
        )
    return problems + _refused_members(settings, recorded)


def _refused_members(settings: Settings, recorded: RecordedCluster) -> list[str]:
    if not recorded.members:
        return []
    listed, names = recorded.members | recorded.joined, member_names(settings.members)
    had, new = len(listed), new_members(settings, recorded)
    if listed - set(names):
        return [
            f"fleetcaptain:members: etcd has {had} members, and cannot have {len(names)} of them. Run `pulumi config "
            f"set fleetcaptain:members {had}`, so that only the number of workers changes"
        ]
    if new and settings.renew:
        return [
            f"fleetcaptain:renewMember: {', '.join(new)} join etcd, and no member may be replaced meanwhile. Run "
            "`pulumi config rm fleetcaptain:renewMember`"
        ]
    return []


def new_members(settings: Settings, recorded: RecordedCluster | None) -> tuple[str, ...]:
    """The members that join an etcd which had data without them when the cluster was last ready. Pure."""
    if recorded is None or not recorded.members:
        return ()
    return tuple(name for name in member_names(settings.members) if name not in recorded.members)


def joined_members(settings: Settings, recorded: RecordedCluster | None) -> tuple[str, ...]:
    """The members that join an etcd, or have joined it, instead of starting it. Pure."""
    new = new_members(settings, recorded)
    earlier = recorded.joined if recorded is not None and recorded.members else ()
    return tuple(name for name in member_names(settings.members) if name in new or name in earlier)


def workers_image(settings: Settings, recorded: RecordedCluster | None, found: str) -> str:
    """The image of workers: that of *settings*, or else the one that they have, so that a new image (*found*) replaces
    no machine until it is asked for. Pure."""
    if recorded is None or settings.ami_id or settings.renew_workers:
        return found
    return recorded.workers_image or found


def notices(settings: Settings, recorded: RecordedCluster | None, found: str) -> list[str]:
    """What the operator has to know of *settings* that apply only in part. *found*: the image of new machines. Pure."""
    if recorded is None:
        return []
    others = sorted(
        name
        for name, machine in recorded.machines.items()
        if machine.key_pair != settings.key_pair and name != settings.renew
    )
    messages = []
    if others:
        messages.append(
            f"fleetcaptain:keyPair: {', '.join(others)} keep their old key until each is renewed by "
            "fleetcaptain:renewMember. Until then ssh needs both keys: give them to ssh's agent"
        )
    wanted = RecordedMachine(found, settings.instance_type, settings.key_pair)
    if settings.renew and recorded.machines.get(settings.renew) == wanted:
        messages.append(
            f"fleetcaptain:renewMember: {settings.renew} has the image, instance type and key pair of this update "
            "already. As long as this is set, each update may replace it. Run `pulumi config rm "
            "fleetcaptain:renewMember`"
        )
    return [*messages, *_fewer_workers(settings, recorded)]


def _fewer_workers(settings: Settings, recorded: RecordedCluster) -> list[str]:
    """The warning of workers that end at once, or unnoticed because new members count in the same size."""
    fewer, new = recorded.workers - settings.workers, new_members(settings, recorded)
    if fewer <= (0 if new else 1):
        return []
    why = f", because {', '.join(new)} join etcd and count in the size" if new else ""
    size = settings.members + recorded.workers - (0 if new else 1)
    slowly = f"lower fleetcaptain:size by one with each `pulumi up`, from {size} on"
    if size not in SIZES:
        slowly = "lower fleetcaptain:size by one with each `pulumi up` before members join"
    return [
        f"fleetcaptain:size: the workers go from {recorded.workers} to {settings.workers}{why}. Those that end, end at "
        "the same time, with all their instances, which fleet then starts on other machines. To have them end one "
        f"after the other, {slowly}"
    ]
