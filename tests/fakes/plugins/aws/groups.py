"""Launch templates, Auto Scaling groups and what belongs to them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tests.fakes.plugins.aws.api import api, arn, ec2_tags
from tests.fakes.plugins.aws.machines import user_data
from tests.fakes.plugins.given import Given, pascal
from tests.fakes.plugins.kinds import Kind, Made, words

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


def _group(given: Given) -> Made:
    name = given["name"]
    sizes = given.params("minSize", "maxSize", "desiredCapacity", "capacityRebalance", "healthCheckType")
    params = sizes | given.params(
        "healthCheckGracePeriod", "defaultCooldown", "terminationPolicies", "maxInstanceLifetime"
    )
    params |= given.params("instanceMaintenancePolicy", "defaultInstanceWarmup", targetGroupArns="TargetGroupARNs")
    params |= given.params(protectFromScaleIn="NewInstancesProtectedFromScaleIn")
    params |= _launched(given)
    if "vpcZoneIdentifiers" in given:
        params["VPCZoneIdentifier"] = ",".join(given["vpcZoneIdentifiers"])
    tags = [{**pascal(tag), "ResourceId": name, "ResourceType": "auto-scaling-group"} for tag in given.get("tags", [])]
    api("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name, **params, **({"Tags": tags} if tags else {})
    )
    made = api("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    return Made(name, {"arn": made["AutoScalingGroupARN"], "desiredCapacity": made["DesiredCapacity"]})


def _launched(given: Given) -> dict[str, Any]:
    if "mixedInstancesPolicy" in given:
        policy = pascal(given["mixedInstancesPolicy"])
        _renamed(policy["LaunchTemplate"]["LaunchTemplateSpecification"])
        return {"MixedInstancesPolicy": policy}
    return {"LaunchTemplate": _renamed(pascal(given["launchTemplate"]))}


def _renamed(template: dict[str, Any]) -> dict[str, Any]:
    for short in ("Id", "Name"):
        if short in template:
            template[f"LaunchTemplate{short}"] = template.pop(short)
    return template


def _regrouped(given: Given) -> None:
    params = given.params("minSize", "maxSize", "desiredCapacity", "healthCheckType", "healthCheckGracePeriod")
    params |= given.params("capacityRebalance", protectFromScaleIn="NewInstancesProtectedFromScaleIn") | _launched(
        given
    )
    if "vpcZoneIdentifiers" in given:
        params["VPCZoneIdentifier"] = ",".join(given["vpcZoneIdentifiers"])
    api("autoscaling").update_auto_scaling_group(AutoScalingGroupName=given.id, **params)


def _no_group(had: Given) -> None:
    api("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=had.id, ForceDelete=True)


def _hook(given: Given) -> Made:
    _put_hook(given)
    return Made(given["name"])


def _put_hook(given: Given) -> None:
    params = given.params(
        "autoscalingGroupName", "lifecycleTransition", "heartbeatTimeout", "defaultResult", "notificationMetadata"
    )
    params["AutoScalingGroupName"] = params.pop("AutoscalingGroupName")
    api("autoscaling").put_lifecycle_hook(LifecycleHookName=given["name"], **params)


def _no_hook(had: Given) -> None:
    group = had["autoscalingGroupName"]
    api("autoscaling").delete_lifecycle_hook(LifecycleHookName=had.id, AutoScalingGroupName=group)


def _attached(given: Given) -> Made:
    group, target = given["autoscalingGroupName"], given["lbTargetGroupArn"]
    api("autoscaling").attach_load_balancer_target_groups(AutoScalingGroupName=group, TargetGroupARNs=[target])
    return Made(f"{group}-{target.rpartition('/')[2]}")


def _detached(had: Given) -> None:
    group, target = had["autoscalingGroupName"], had["lbTargetGroupArn"]
    api("autoscaling").detach_load_balancer_target_groups(AutoScalingGroupName=group, TargetGroupARNs=[target])


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
    "aws:autoscaling/group:Group": Kind(
        _group,
        _no_group,
        replaces=words("initialLifecycleHooks name namePrefix"),
        updates=dict.fromkeys(
            words(
                "capacityRebalance desiredCapacity healthCheckGracePeriod healthCheckType "
                "launchTemplate maxSize minSize mixedInstancesPolicy protectFromScaleIn "
                "vpcZoneIdentifiers"
            ),
            _regrouped,
        ),
        # moto has no instance refresh; the others are the plugin's own, AWS never sees them.
        unmet=words("forceDelete instanceRefresh waitForCapacityTimeout suspendedProcesses"),
        autoname="name",
        unique="name",
    ),
    "aws:autoscaling/lifecycleHook:LifecycleHook": Kind(
        _hook,
        _no_hook,
        replaces=words("autoscalingGroupName name"),
        updates=dict.fromkeys(
            words("defaultResult heartbeatTimeout lifecycleTransition notificationMetadata"), _put_hook
        ),
        autoname="name",
        unique="name",
    ),
    "aws:autoscaling/attachment:Attachment": Kind(
        _attached, _detached, replaces=words("autoscalingGroupName elb lbTargetGroupArn")
    ),
}
