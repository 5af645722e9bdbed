"""What the program looks up instead of declaring it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.plugins.aws.aws_api import ACCOUNT, api, region
from tests.fakes.plugins.inputs import Given, pascal

__all__ = ["INVOKES"]


def _ami(given: Given) -> Mapping[str, Any]:
    filters = [pascal(item) for item in given.get("filters", [])]
    owners, ids = given.get("owners", []), given.params(imageIds="ImageIds")
    images = api("ec2").describe_images(Owners=owners, Filters=filters, **ids)["Images"]
    images.sort(key=lambda image: image["CreationDate"])
    if not images:
        raise ValueError("Your query returned no results. Please change your search criteria and try again.")
    if len(images) > 1 and not given.get("mostRecent", False):
        raise ValueError("Your query returned more than one result. Please try a more specific search criteria.")
    image = images[-1]
    return {
        "id": image["ImageId"],
        "imageId": image["ImageId"],
        "name": image["Name"],
        "architecture": image["Architecture"],
        "ownerId": image["OwnerId"],
        "rootDeviceName": image.get("RootDeviceName", ""),
    }


def _zones(given: Given) -> Mapping[str, Any]:
    filters = [pascal(item) for item in given.get("filters", [])]
    state = given.get("state")
    filters += [{"Name": "state", "Values": [state]}] if state else []
    zones = api("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]
    return {
        "id": region(),
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
    }


def _caller(_given: Given) -> Mapping[str, Any]:
    who = api("sts").get_caller_identity()
    return {"id": ACCOUNT, "accountId": who["Account"], "arn": who["Arn"], "userId": who["UserId"]}


def _region(_given: Given) -> Mapping[str, Any]:
    return {"id": region(), "region": region(), "name": region(), "endpoint": f"ec2.{region()}.amazonaws.com"}


def _partition(_given: Given) -> Mapping[str, Any]:
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def _token(_given: Given) -> Mapping[str, Any]:
    data = api("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return {"id": region(), "userName": user, "password": password, "proxyEndpoint": data["proxyEndpoint"]}


def _key_pair(given: Given) -> Mapping[str, Any]:
    name = given["keyName"]
    pairs = api("ec2").describe_key_pairs(KeyNames=[name], IncludePublicKey=given.get("includePublicKey", False))
    return {"id": pairs["KeyPairs"][0]["KeyPairId"], "keyName": name, "publicKey": ""}


def _offerings(given: Given) -> Mapping[str, Any]:
    filters = [pascal(item) for item in given.get("filters", [])]
    found = api("ec2").describe_instance_type_offerings(LocationType=given["locationType"], Filters=filters)
    offers = found["InstanceTypeOfferings"]
    return {
        "id": region(),
        "locations": [one["Location"] for one in offers],
        "instanceTypes": [one["InstanceType"] for one in offers],
        "locationTypes": [one["LocationType"] for one in offers],
    }


def _instance_type(given: Given) -> Mapping[str, Any]:
    (kind,) = api("ec2").describe_instance_types(InstanceTypes=[given["instanceType"]])["InstanceTypes"]
    return {"id": kind["InstanceType"], "defaultVcpus": kind["VCpuInfo"]["DefaultVCpus"]}


def _addresses(_given: Given) -> Mapping[str, Any]:
    addresses = api("ec2").describe_addresses()["Addresses"]
    return {"id": region(), "allocationIds": [one["AllocationId"] for one in addresses]}


def _quota(given: Given) -> Mapping[str, Any]:
    """moto has none of EC2, so it is as without the right to ask."""
    raise PermissionError(f"AccessDeniedException: not authorized to get {given['serviceCode']} {given['quotaCode']}")


INVOKES: Mapping[str, Callable[[Given], Mapping[str, Any]]] = {
    "aws:ec2/getAmi:getAmi": _ami,
    "aws:ec2/getEips:getEips": _addresses,
    "aws:ec2/getInstanceType:getInstanceType": _instance_type,
    "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": _offerings,
    "aws:ec2/getKeyPair:getKeyPair": _key_pair,
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": _token,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getRegion:getRegion": _region,
    "aws:servicequotas/getServiceQuota:getServiceQuota": _quota,
}
