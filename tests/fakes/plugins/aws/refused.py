"""What AWS refuses and moto lets pass: addresses, times, what is in use. Each raises ValueError in AWS's words."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.fakes.plugins.aws.aws_api import api

__all__ = [
    "check_address",
    "check_group_free",
    "check_interface_free",
    "check_schedule",
    "check_subnet_free",
    "check_type",
    "check_volume_free",
]

_RESERVED = 4
"""AWS keeps the first four addresses of a subnet, and the last one."""

_MADE_FOR_INSTANCE = "Primary network interface"
"""How moto describes an interface that came with an instance."""


def check_address(subnet: str, address: str) -> None:
    """An interface's *address* is one of *subnet*'s, is not AWS's own, and nobody has it."""
    block = ipaddress.ip_network(api("ec2").describe_subnets(SubnetIds=[subnet])["Subnets"][0]["CidrBlock"])
    wanted = ipaddress.ip_address(address)
    if wanted not in block:
        raise ValueError(f"InvalidParameterValue: Address {address} does not fall within the subnet's range {block}")
    if int(wanted) - int(block.network_address) < _RESERVED or wanted == block.broadcast_address:
        raise ValueError(f"InvalidParameterValue: Address {address} is in the subnet's reserved range")
    if any(address == interface["PrivateIpAddress"] for interface in _interfaces("subnet-id", subnet)):
        raise ValueError(f"InvalidIPAddress.InUse: Address {address} is in use")


def check_interface_free(interface: str) -> None:
    """No instance has the *interface*."""
    found = api("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    owner = found.get("Attachment", {}).get("InstanceId")
    if owner and not _terminated(owner):
        raise ValueError(f"InvalidNetworkInterface.InUse: Interface {interface} is in use by {owner}")


def check_volume_free(volume: str, instance: str) -> None:
    """No instance has the *volume*, and it is in the zone of *instance*."""
    found = api("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]
    if found["Attachments"]:
        raise ValueError(f"VolumeInUse: {volume} is already attached to an instance")
    if found["AvailabilityZone"] != _instance(instance)["Placement"]["AvailabilityZone"]:
        raise ValueError(f"InvalidVolume.ZoneMismatch: {volume} is not in the same availability zone as {instance}")


def check_schedule(name: str, action: Mapping[str, Any]) -> None:
    """No other action of the group *name* has the time of *action*, which is not over; and the desired capacity is one
    that the group can have. AWS says the last when the action runs, and does not run it."""
    scaling = api("autoscaling")
    for other in scaling.describe_scheduled_actions(AutoScalingGroupName=name)["ScheduledUpdateGroupActions"]:
        same_cron = "Recurrence" in action and other.get("Recurrence") == action["Recurrence"]
        if same_cron or ("StartTime" in action and other.get("StartTime") == _moment(action["StartTime"])):
            raise ValueError(f"AlreadyExists: {other['ScheduledActionName']} has the same start time")
    if "StartTime" in action and _moment(action["StartTime"]) <= datetime.now(UTC):
        raise ValueError("ValidationError: Given start time is in the past")
    (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    least, most = action.get("MinSize", group["MinSize"]), action.get("MaxSize", group["MaxSize"])
    if not least <= action.get("DesiredCapacity", least) <= most:
        raise ValueError(f"ValidationError: the desired capacity must be from {least} to {most}")


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def check_subnet_free(subnet: str) -> None:
    """Nothing has an address in the *subnet*."""
    if _interfaces("subnet-id", subnet):
        raise ValueError(f"DependencyViolation: The subnet '{subnet}' has dependencies and cannot be deleted.")


def check_group_free(group: str) -> None:
    """No interface is in the security *group*, and no rule of another one names it."""
    rules = [
        pair["GroupId"]
        for other in api("ec2").describe_security_groups()["SecurityGroups"]
        for permission in other["IpPermissions"] + other["IpPermissionsEgress"]
        for pair in permission["UserIdGroupPairs"]
        if other["GroupId"] != group
    ]
    if group in rules or _interfaces("group-id", group):
        raise ValueError(f"DependencyViolation: resource {group} has a dependent object")


def check_type(name: str, image: str) -> None:
    """There is an instance type of this *name*, and the *image* runs on it."""
    found = api("ec2").describe_instance_types(Filters=[{"Name": "instance-type", "Values": [name]}])["InstanceTypes"]
    if not found:
        raise ValueError(f"InvalidInstanceType: The instance type {name} is not known")
    architecture = api("ec2").describe_images(ImageIds=[image])["Images"][0]["Architecture"]
    if architecture not in found[0]["ProcessorInfo"]["SupportedArchitectures"]:
        raise ValueError(f"InvalidParameterValue: {image} is for {architecture}, which {name} is not")


def _instance(identity: str) -> dict[str, Any]:
    found: dict[str, Any] = api("ec2").describe_instances(InstanceIds=[identity])["Reservations"][0]["Instances"][0]
    return found


def _terminated(instance: str) -> bool:
    """moto leaves an interface with an instance that was terminated; AWS frees it, or deletes it."""
    return bool(_instance(instance)["State"]["Name"] == "terminated")


def _interfaces(name: str, value: str) -> list[Any]:
    filters = [{"Name": name, "Values": [value]}]
    found = api("ec2").describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    return [interface for interface in found if not _went_with_its_instance(interface)]


def _went_with_its_instance(interface: Mapping[str, Any]) -> bool:
    owner = interface.get("Attachment", {}).get("InstanceId")
    return bool(owner and interface["Description"] == _MADE_FOR_INSTANCE and _terminated(owner))
