"""Launch templates."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.fakes.plugins.aws.aws_api import api, arn, ec2_tags
from tests.fakes.plugins.aws.ec2_instances import user_data
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]

_SWITCHES = words("associatePublicIpAddress deleteOnTermination ebsOptimized encrypted")
"""What a launch template of Pulumi takes as a text, ``true``, and AWS as a boolean."""


def _data(given: Given) -> dict[str, Any]:
    keys = "instanceType imageId keyName metadataOptions monitoring iamInstanceProfile instanceMarketOptions"
    plain = (*keys.split(), "ebsOptimized", "blockDeviceMappings", "creditSpecification", "disableApiTermination")
    data = given.params(*plain, vpcSecurityGroupIds="SecurityGroupIds")
    if "userData" in given:
        data["UserData"] = base64.b64encode(user_data(given["userData"])).decode()
    if "networkInterfaces" in given:
        data["NetworkInterfaces"] = [Given(item).params(*item, securityGroups="Groups") for item in _interfaces(given)]
    if "tagSpecifications" in given:
        data["TagSpecifications"] = [
            {"ResourceType": item["resourceType"], "Tags": _pairs(item["tags"])} for item in given["tagSpecifications"]
        ]
    return dict(_switched(data))


def _interfaces(given: Given) -> list[dict[str, Any]]:
    interfaces: list[dict[str, Any]] = given["networkInterfaces"]
    return [
        {("groups" if key == "securityGroups" else key): value for key, value in item.items()} for item in interfaces
    ]


def _switched(value: Any) -> Any:
    if isinstance(value, list):
        return [_switched(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: item == "true" if f"{key[0].lower()}{key[1:]}" in _SWITCHES and isinstance(item, str) else _switched(item)
        for key, item in value.items()
    }


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _template(given: Given) -> Made:
    tags = given.tags("launch-template")
    made = api("ec2").create_launch_template(
        LaunchTemplateName=given["name"],
        LaunchTemplateData=_data(given),
        **given.params(description="VersionDescription"),
        **tags,
    )["LaunchTemplate"]
    outputs = {
        "latestVersion": 1,
        "defaultVersion": 1,
        "arn": arn("ec2", f"launch-template/{made['LaunchTemplateId']}"),
    }
    return Made(made["LaunchTemplateId"], outputs)


def _version(given: Given) -> Mapping[str, Any]:
    made = api("ec2").create_launch_template_version(LaunchTemplateId=given.id, LaunchTemplateData=_data(given))
    number = made["LaunchTemplateVersion"]["VersionNumber"]
    if not given.get("updateDefaultVersion", False):
        return {"latestVersion": number}
    api("ec2").modify_launch_template(LaunchTemplateId=given.id, DefaultVersion=str(number))
    return {"latestVersion": number, "defaultVersion": number}


KINDS = {
    "aws:ec2/launchTemplate:LaunchTemplate": Kind(
        _template,
        lambda had: api("ec2").delete_launch_template(LaunchTemplateId=had.id),
        replaces=words("name namePrefix"),
        updates={
            "tags": ec2_tags,
            **dict.fromkeys(
                words(
                    "blockDeviceMappings creditSpecification disableApiTermination ebsOptimized "
                    "iamInstanceProfile imageId instanceMarketOptions instanceType keyName "
                    "metadataOptions monitoring networkInterfaces tagSpecifications userData "
                    "vpcSecurityGroupIds"
                ),
                _version,
            ),
        },
        moves=words("latestVersion defaultVersion"),
        unmet=words("updateDefaultVersion"),
        autoname="name",
        unique="name",
    ),
}
