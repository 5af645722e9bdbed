"""The workers: an Auto Scaling group that keeps their number, and replaces one after the other on a change."""

from __future__ import annotations

import base64
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.launch_context import Launch, LaunchContext
from components.aws.worker_refresh import BOOT_SEC, LAUNCH_SEC, MOST_HEALTHY_PERCENT
from fleetcaptain.fleetfile.values import App
from fleetcaptain.machine.ec2 import DEREGISTER_SEC, DRAIN_HOOK, LAUNCH_HOOK

__all__ = ["LEAST_DRAIN_SEC", "drain_sec", "make_group", "make_template", "make_workers"]

LEAST_DRAIN_SEC = 180
"""The least time between the termination notice and the end of a machine."""

# Of a hook; AWS allows no more.
_MOST_DRAIN_SEC = 7200
# Until the machine sees the notice, fleetd has stopped, docker has stopped, and the group has its answer.
_MARGIN_SEC = 140
_DELETE_SEC = 600
_LAUNCH = {
    "name": LAUNCH_HOOK,
    "lifecycle_transition": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "heartbeat_timeout": LAUNCH_SEC,
    "default_result": "ABANDON",
}


def drain_sec(app: App) -> int:
    """The time between the termination notice and the end of a machine: enough for the longest stop of a service of
    *app*, but at most two hours. A machine that is drained earlier ends earlier. Pure."""
    longest = max(
        (spec.leave_sec + spec.stop_sec for spec in (*app.services, *(task.container for task in app.tasks))), default=0
    )
    return max(LEAST_DRAIN_SEC, min(_MOST_DRAIN_SEC, DEREGISTER_SEC + longest + _MARGIN_SEC))


def make_workers(
    context: LaunchContext, launch: Launch, drain: int, hooks: pulumi.ResourceHookBinding | None = None
) -> aws.autoscaling.Group:
    """The group of all workers but those of windows. *drain*: see `drain_sec`. *hooks* are those of its launch
    template, a change of which replaces the workers."""
    settings = context.settings
    return make_group(
        context,
        launch,
        "workers",
        make_template(context, launch, "worker", spot=settings.spot, hooks=hooks),
        machine="worker",
        hook="drain",
        drain=drain,
        min_size=settings.workers,
        max_size=settings.workers,
        desired_capacity=settings.workers,
        capacity_rebalance=settings.spot,
        # fleet moves no unit to a machine that is new, so AWS's balance of the zones would only end working ones.
        suspended_processes=["AZRebalance"],
        instance_refresh={
            "strategy": "Rolling",
            "preferences": {
                "min_healthy_percentage": 100,
                "max_healthy_percentage": MOST_HEALTHY_PERCENT,
                "instance_warmup": str(BOOT_SEC),
                "skip_matching": True,
            },
        },
    )


def make_group(
    context: LaunchContext,
    launch: Launch,
    part: str,
    template: aws.ec2.LaunchTemplate,
    *,
    machine: str,
    hook: str,
    drain: int,
    **more: Any,
) -> aws.autoscaling.Group:
    """The Auto Scaling group *part*, whose machines are called *machine* and come from *template*; and its *hook*,
    which holds back the end of each machine until it says that it is drained, for *drain* seconds at most. A new
    machine counts when it says that fleet has it. *more* are arguments of the group."""
    scope, tags = context.scope, context.scope.tags(machine)
    group = aws.autoscaling.Group(
        scope.named(part),
        vpc_zone_identifiers=list(context.network.subnet_ids.values()),
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        health_check_type="EC2",
        health_check_grace_period=BOOT_SEC,
        # A failed launch would leave the group out of the state; the readiness check finds missing machines in fleet.
        wait_for_capacity_timeout="0",
        # The first machines are launched before a hook could be added.
        initial_lifecycle_hooks=[_LAUNCH],
        tags=[{"key": key, "value": value, "propagate_at_launch": True} for key, value in sorted(tags.items())],
        **more,
        opts=scope.child(
            depends_on=[*launch.needs, *context.network.before_machines],
            # AWS takes them with a new group only; the hook below is that of an existing one.
            ignore_changes=["initial_lifecycle_hooks"],
            custom_timeouts=pulumi.CustomTimeouts(delete=f"{drain + _DELETE_SEC}s"),
        ),
    )
    aws.autoscaling.LifecycleHook(
        scope.named(hook),
        name=DRAIN_HOOK,
        autoscaling_group_name=group.name,
        lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
        heartbeat_timeout=drain,
        default_result="CONTINUE",
        # The machines of a group that is deleted are drained too. AWS deletes the hook with the group.
        opts=scope.child(retain_on_delete=True),
    )
    aws.autoscaling.LifecycleHook(
        scope.named(f"{part}-launch"),
        **_LAUNCH,
        autoscaling_group_name=group.name,
        opts=scope.child(retain_on_delete=True),
    )
    return group


def make_template(
    context: LaunchContext,
    launch: Launch,
    part: str,
    *,
    spot: bool,
    hooks: pulumi.ResourceHookBinding | None = None,
) -> aws.ec2.LaunchTemplate:
    """The launch template of a group, whose machines *part* names."""
    scope, settings = context.scope, context.settings
    tags = scope.tags(part)
    return aws.ec2.LaunchTemplate(
        scope.named(part),
        image_id=context.ami,
        instance_type=settings.instance_type,
        key_name=settings.key_pair,
        iam_instance_profile={"name": launch.identity.profile},
        instance_market_options={"market_type": "spot"} if spot else None,
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
            # A machine that is drained tells its group, which it knows by a tag.
            "instance_metadata_tags": "enabled",
        },
        network_interfaces=[
            {
                "device_index": 0,
                "associate_public_ip_address": "true",
                "delete_on_termination": "true",
                "security_groups": [context.groups.machines],
            }
        ],
        block_device_mappings=[
            {
                "device_name": "/dev/xvda",
                "ebs": {
                    "volume_type": "gp3",
                    "volume_size": settings.root_gib,
                    "encrypted": "true",
                    "delete_on_termination": "true",
                },
            }
        ],
        tag_specifications=[{"resource_type": kind, "tags": tags} for kind in ("instance", "volume")],
        user_data=launch.user_data.apply(lambda text: base64.b64encode(text.encode()).decode()),
        update_default_version=True,
        tags=tags,
        opts=scope.child(hooks=hooks),
    )
