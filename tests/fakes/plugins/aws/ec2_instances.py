"""Instances."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.fakes.plugins.aws.aws_api import api, arn, ec2_tags, found
from tests.fakes.plugins.aws.refused import check_interface_free, check_type
from tests.fakes.plugins.inputs import Given, pascal
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS", "user_data"]

_USER_DATA_BYTES = 16384


def user_data(text: str) -> bytes:
    """*text* (base64) decoded. Raises ValueError where EC2 refuses it, which moto does not: more than 16 KiB."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) > _USER_DATA_BYTES:
        raise ValueError(f"User data is limited to {_USER_DATA_BYTES} bytes; this is {len(raw)}")
    return raw


def _instance(given: Given) -> Made:
    params = given.params(
        "instanceType", "keyName", "subnetId", "metadataOptions", "ebsOptimized", "disableApiTermination"
    )
    params |= given.params(ami="ImageId", vpcSecurityGroupIds="SecurityGroupIds", privateIp="PrivateIpAddress")
    if "iamInstanceProfile" in given:
        params["IamInstanceProfile"] = {"Name": given["iamInstanceProfile"]}
    if "availabilityZone" in given:
        params["Placement"] = {"AvailabilityZone": given["availabilityZone"]}
    if "userDataBase64" in given:
        params["UserData"] = user_data(given["userDataBase64"]).decode()
    if "userData" in given:
        text = given["userData"]
        params["UserData"] = user_data(base64.b64encode(text.encode()).decode()).decode()
    interfaces = [pascal(item) for item in given.get("networkInterfaces", [])]
    if "primaryNetworkInterface" in given:
        interfaces.append({"DeviceIndex": 0, **pascal(given["primaryNetworkInterface"])})
    if interfaces:
        params["NetworkInterfaces"] = interfaces
    for interface in interfaces:
        check_interface_free(interface["NetworkInterfaceId"])
        params["Placement"] = {"AvailabilityZone": _zone(interface["NetworkInterfaceId"])}
    check_type(params["InstanceType"], params["ImageId"])
    devices = [_device(item) for item in given.get("ebsBlockDevices", [])]
    if "rootBlockDevice" in given:
        devices.insert(0, _device({"deviceName": "/dev/xvda", **given["rootBlockDevice"]}))
    if devices:
        params["BlockDeviceMappings"] = devices
    made = api("ec2").run_instances(MinCount=1, MaxCount=1, **params, **given.tags("instance"))["Instances"][0]
    return Made(made["InstanceId"], _outputs(made))


def _zone(interface: str) -> str:
    """Where an *interface* is: moto would put its machine into the first zone."""
    found = api("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    return str(found["AvailabilityZone"])


def _device(item: Mapping[str, Any]) -> dict[str, Any]:
    ebs = {key: value for key, value in item.items() if key not in ("deviceName", "tags")}
    return {"DeviceName": item["deviceName"], "Ebs": pascal(ebs)}


def _outputs(made: Mapping[str, Any]) -> dict[str, Any]:
    interface = made["NetworkInterfaces"][0]
    return {
        "arn": arn("ec2", f"instance/{made['InstanceId']}"),
        "availabilityZone": made["Placement"]["AvailabilityZone"],
        "privateIp": made["PrivateIpAddress"],
        "publicIp": made.get("PublicIpAddress", ""),
        "privateDns": made["PrivateDnsName"],
        "publicDns": made.get("PublicDnsName", ""),
        "subnetId": made.get("SubnetId", ""),
        "primaryNetworkInterfaceId": interface["NetworkInterfaceId"],
        "instanceState": "running",
    }


def _resized(given: Given) -> None:
    api("ec2").stop_instances(InstanceIds=[given.id])
    api("ec2").modify_instance_attribute(InstanceId=given.id, InstanceType={"Value": given["instanceType"]})
    api("ec2").start_instances(InstanceIds=[given.id])


def _restarted(given: Given) -> None:
    text = (
        given["userDataBase64"] if "userDataBase64" in given else base64.b64encode(given["userData"].encode()).decode()
    )
    api("ec2").stop_instances(InstanceIds=[given.id])
    api("ec2").modify_instance_attribute(InstanceId=given.id, UserData={"Value": user_data(text)})
    api("ec2").start_instances(InstanceIds=[given.id])


def _regrouped(given: Given) -> None:
    api("ec2").modify_instance_attribute(InstanceId=given.id, Groups=given["vpcSecurityGroupIds"])


def _protected(given: Given) -> None:
    value = {"Value": given.get("disableApiTermination", False)}
    api("ec2").modify_instance_attribute(InstanceId=given.id, DisableApiTermination=value)


def _read(had: Given) -> Mapping[str, Any] | None:
    """As the real plugin: an instance that is terminated is gone."""
    reservation = found(api("ec2").describe_instances, "Reservations", InstanceIds=[had.id])
    if reservation is None:
        return None
    (instance,) = reservation["Instances"]
    state = instance["State"]["Name"]
    if state in ("shutting-down", "terminated"):
        return None
    return {"instanceState": state, "instanceType": instance["InstanceType"], "ami": instance["ImageId"]}


KINDS = {
    "aws:ec2/instance:Instance": Kind(
        _instance,
        lambda had: api("ec2").terminate_instances(InstanceIds=[had.id]),
        replaces=words(
            "ami associatePublicIpAddress availabilityZone cpuOptions ebsBlockDevices ebsOptimized "
            "ephemeralBlockDevices hibernation hostId ipv6AddressCount ipv6Addresses keyName "
            "launchTemplate networkInterfaces placementGroup primaryNetworkInterface privateIp "
            "rootBlockDevice.encrypted rootBlockDevice.kmsKeyId securityGroups subnetId tenancy"
        ),
        replaces_if=dict.fromkeys(words("userData userDataBase64"), "userDataReplaceOnChange"),
        updates={
            "tags": ec2_tags,
            "instanceType": _resized,
            "userData": _restarted,
            "userDataBase64": _restarted,
            "vpcSecurityGroupIds": _regrouped,
            "disableApiTermination": _protected,
        },
        unmet=words("userDataReplaceOnChange volumeTags"),
        read=_read,
    ),
}
