"""The workers: an Auto Scaling group that keeps their number, and replaces one after the other on a change."""

from __future__ import annotations

import base64

import pulumi_aws as aws

from components.aws.launch_context import Launch, LaunchContext

__all__ = ["DRAIN_SEC", "make_workers"]

DRAIN_SEC = 180
"""The time between the termination notice and the end of a machine: it polls every five seconds, then drains its
units."""

_BOOT_SEC = 180


def make_workers(context: LaunchContext, launch: Launch) -> aws.autoscaling.Group:
    """The group of all workers."""
    scope, settings = context.scope, context.settings
    template = _template(context, launch)
    tags = scope.tags("worker")
    group = aws.autoscaling.Group(
        scope.named("workers"),
        vpc_zone_identifiers=list(context.network.subnet_ids.values()),
        min_size=settings.workers,
        max_size=settings.workers,
        desired_capacity=settings.workers,
        launch_template={"id": template.id, "version": template.latest_version.apply(str)},
        capacity_rebalance=settings.spot,
        health_check_type="EC2",
        health_check_grace_period=_BOOT_SEC,
        # A failed launch would leave the group out of the state; the readiness check finds missing machines in fleet.
        wait_for_capacity_timeout="0",
        instance_refresh={
            "strategy": "Rolling",
            # Launch before termination: the app always has enough machines.
            "preferences": {
                "min_healthy_percentage": 100,
                "max_healthy_percentage": 110,
                "instance_warmup": str(_BOOT_SEC),
                "skip_matching": True,
            },
        },
        tags=[{"key": key, "value": value, "propagate_at_launch": True} for key, value in sorted(tags.items())],
        opts=scope.child(depends_on=[*launch.needs, *context.network.before_machines]),
    )
    aws.autoscaling.LifecycleHook(
        scope.named("drain"),
        autoscaling_group_name=group.name,
        lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
        heartbeat_timeout=DRAIN_SEC,
        default_result="CONTINUE",
        opts=scope.child(),
    )
    return group


def _template(context: LaunchContext, launch: Launch) -> aws.ec2.LaunchTemplate:
    scope, settings = context.scope, context.settings
    tags = scope.tags("worker")
    return aws.ec2.LaunchTemplate(
        scope.named("worker"),
        image_id=context.ami,
        instance_type=settings.instance_type,
        key_name=settings.key_pair,
        iam_instance_profile={"name": launch.identity.profile},
        instance_market_options={"market_type": "spot"} if settings.spot else None,
        metadata_options={"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1},
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
        opts=scope.child(),
    )
