"""Network interfaces and elastic IPs."""

from __future__ import annotations

from tests.fakes.plugins.aws.aws_api import api, arn, ec2_tags
from tests.fakes.plugins.aws.refused import check_address, check_interface_free
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]


def _interface(given: Given) -> Made:
    params = given.params("subnetId", "description", securityGroups="Groups")
    addresses = given.get("privateIps", [])
    for address in addresses:
        check_address(given["subnetId"], address)
    if addresses:
        pairs = [{"PrivateIpAddress": address, "Primary": address == addresses[0]} for address in addresses]
        params["PrivateIpAddresses"] = pairs
    made = api("ec2").create_network_interface(**params, **given.tags("network-interface"))["NetworkInterface"]
    identity = made["NetworkInterfaceId"]
    if "sourceDestCheck" in given:
        _source_dest_check(given.made(identity))
    outputs = {
        "arn": arn("ec2", f"network-interface/{identity}"),
        "privateIp": made["PrivateIpAddress"],
        "privateIps": [one["PrivateIpAddress"] for one in made["PrivateIpAddresses"]],
        "macAddress": made["MacAddress"],
        "privateDnsName": f"ip-{made['PrivateIpAddress'].replace('.', '-')}.ec2.internal",
    }
    return Made(identity, outputs)


def _source_dest_check(given: Given) -> None:
    value = {"Value": given["sourceDestCheck"]}
    api("ec2").modify_network_interface_attribute(NetworkInterfaceId=given.id, SourceDestCheck=value)


def _groups(given: Given) -> None:
    api("ec2").modify_network_interface_attribute(NetworkInterfaceId=given.id, Groups=given["securityGroups"])


def _address(given: Given) -> Made:
    made = api("ec2").allocate_address(**given.params("domain"), **given.tags("elastic-ip"))
    identity = made["AllocationId"]
    if "networkInterface" in given:
        api("ec2").associate_address(AllocationId=identity, NetworkInterfaceId=given["networkInterface"])
    if "instance" in given:
        api("ec2").associate_address(AllocationId=identity, InstanceId=given["instance"])
    return Made(identity, {"allocationId": identity, "publicIp": made["PublicIp"]})


def _no_address(had: Given) -> None:
    found = api("ec2").describe_addresses(AllocationIds=[had.id])["Addresses"][0]
    if found.get("AssociationId"):
        api("ec2").disassociate_address(AssociationId=found["AssociationId"])
    api("ec2").release_address(AllocationId=had.id)


def _no_interface(had: Given) -> None:
    check_interface_free(had.id)
    api("ec2").delete_network_interface(NetworkInterfaceId=had.id)


KINDS = {
    "aws:ec2/networkInterface:NetworkInterface": Kind(
        _interface,
        _no_interface,
        # The primary address, the first one, is what its CustomizeDiff replaces for.
        replaces=words("interfaceType privateIps subnetId"),
        updates={"tags": ec2_tags, "securityGroups": _groups, "sourceDestCheck": _source_dest_check},
    ),
    "aws:ec2/eip:Eip": Kind(_address, _no_address, replaces=words("domain publicIpv4Pool"), updates={"tags": ec2_tags}),
}
