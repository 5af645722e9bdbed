"""The load balancer: a network load balancer with a listener for each public service. It sends connections to machines
on which the service is registered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.launch_context import LaunchContext
from components.aws.topology import Public
from components.engine import diagnostics
from fleetcaptain.machine.ec2 import DEREGISTER_SEC
from fleetcaptain.machine.machine_ports import HEALTH
from fleetcaptain.release.balanced_app import INTERVAL_SEC, TIMES

__all__ = ["Balancer", "health_check", "make_balancer", "target_name"]

_TIMEOUT_SEC = 4
_KEPT_SEC = 3600
_NAME_LENGTH = 24
_CHECKS_ARE_KEPT = (
    "The load balancer keeps its health checks in this update, because the machine agents that answer the new ones "
    "come at its end. Until they are changed a rollout may lose connections. To change them, run `pulumi up` once more"
)


@dataclass(frozen=True)
class Balancer:
    """Public service -> its URL (*urls*), and the ARN of its target group (*targets*)."""

    urls: Mapping[str, pulumi.Output[str]]
    targets: Mapping[str, pulumi.Output[str]]


def health_check(service: Public) -> Mapping[str, object]:
    """The balancer's health check. The machine agent answers it: an instance that is about to stop is out first."""
    return {
        "protocol": "HTTP",
        "port": str(HEALTH),
        "path": f"/{service.service}",
        "matcher": "200",
        "interval": INTERVAL_SEC,
        "timeout": _TIMEOUT_SEC,
        "healthy_threshold": TIMES,
        "unhealthy_threshold": TIMES,
    }


def make_balancer(
    context: LaunchContext,
    public: Sequence[Public],
    group: pulumi.Input[str],
    *,
    members: Mapping[str, pulumi.Input[str]],
    workers: Mapping[str, pulumi.Input[str]],
    keep_checks: bool = False,
) -> Balancer:
    """The balancer, in the security *group*, in front of *members* (name -> instance id) and the Auto Scaling groups
    of *workers* (part of the cluster -> its name). *keep_checks*: existing target groups keep their health checks,
    because no machine answers the new ones yet."""
    if keep_checks:
        diagnostics.warn(_CHECKS_ARE_KEPT)
    scope, network = context.scope, context.network
    balancer = aws.lb.LoadBalancer(
        scope.named("public"),
        load_balancer_type="network",
        internal=False,
        subnets=list(network.subnet_ids.values()),
        security_groups=[group],
        # There may be only one instance, so not one in every zone.
        enable_cross_zone_load_balancing=True,
        tags=scope.tags("public"),
        opts=scope.child(depends_on=[*network.before_machines]),
    )
    urls, arns = {}, {}
    for service in public:
        arns[service.service] = targets = _listen(context, balancer, service, keep_checks)
        part = _part(service)
        for name, instance in members.items():
            aws.lb.TargetGroupAttachment(
                scope.named(f"{part}-{name}"), target_group_arn=targets, target_id=instance, opts=scope.child()
            )
        for name, scaling_group in workers.items():
            aws.autoscaling.Attachment(
                scope.named(f"{part}-{name}"),
                autoscaling_group_name=scaling_group,
                lb_target_group_arn=targets,
                opts=scope.child(),
            )
        urls[service.service] = pulumi.Output.concat(f"{service.scheme}://", balancer.dns_name, f":{service.port}")
    return Balancer(urls, arns)


def _part(service: Public) -> str:
    return service.service.replace("_", "-")


def target_name(part: str) -> str:
    """*part* in at most 24 characters: AWS allows 32, of which Pulumi uses eight for a unique suffix. Two parts
    with the same beginning still differ. Pure."""
    if len(part) <= _NAME_LENGTH:
        return part
    return f"{part[: _NAME_LENGTH - 7].rstrip('-')}-{hashlib.sha256(part.encode()).hexdigest()[:6]}"


def _listen(
    context: LaunchContext, balancer: aws.lb.LoadBalancer, service: Public, keep_check: bool
) -> pulumi.Output[str]:
    """The listener of *service*; the ARN of the target group that it leads to."""
    scope, part = context.scope, _part(service)
    targets = aws.lb.TargetGroup(
        target_name(scope.named(part)),
        vpc_id=context.network.vpc_id,
        target_type="instance",
        protocol="TCP",
        port=service.target,
        health_check=health_check(service),
        deregistration_delay=DEREGISTER_SEC,
        # By default the balancer cuts the connections to an instance that leaves. It still answers them until it stops.
        target_health_states=[
            {"enable_unhealthy_connection_termination": False, "unhealthy_draining_interval": _KEPT_SEC}
        ],
        tags=scope.tags(part),
        opts=scope.child(ignore_changes=["health_check"] if keep_check else None),
    )
    aws.lb.Listener(
        scope.named(part),
        load_balancer_arn=balancer.arn,
        protocol="TCP",
        port=service.port,
        default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
        tags=scope.tags(part),
        opts=scope.child(),
    )
    arn: pulumi.Output[str] = targets.arn
    return arn
