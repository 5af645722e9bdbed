"""Auto Scaling groups and what belongs to them."""

from __future__ import annotations

from typing import Any

from tests.fakes.plugins.aws.aws_api import api, found
from tests.fakes.plugins.inputs import Given, pascal
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]


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
    for hook in given.get("initialLifecycleHooks", []):
        _put_hook(Given({**hook, "autoscalingGroupName": name}))
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
    params |= given.params("capacityRebalance")
    if "vpcZoneIdentifiers" in given:
        params["VPCZoneIdentifier"] = ",".join(given["vpcZoneIdentifiers"])
    api("autoscaling").update_auto_scaling_group(AutoScalingGroupName=given.id, **params)
    # By itself: moto cannot launch anything from a template's later versions.
    api("autoscaling").update_auto_scaling_group(AutoScalingGroupName=given.id, **_launched(given))


def _sizes(had: Given) -> dict[str, int] | None:
    """What a scheduled action has changed."""
    question = api("autoscaling").describe_auto_scaling_groups
    group = found(question, "AutoScalingGroups", AutoScalingGroupNames=[had.id])
    if group is None:
        return None
    return {size: group[f"{size[0].upper()}{size[1:]}"] for size in ("minSize", "maxSize", "desiredCapacity")}


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
        read=_sizes,
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
