"""The load balancer: a network load balancer with a listener for each public port. It sends connections to machines on
which the app's proxy is registered, which has the same port."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.launch_context import LaunchContext
from components.engine import diagnostics
from fleetcaptain.machine.ec2 import DEREGISTER_SEC
from fleetcaptain.machine.machine_ports import HEALTH
from fleetcaptain.release.balanced_app import INTERVAL_SEC, TIMES
from fleetcaptain.units.agent_calls import proxy_name

__all__ = ["Balancer", "health_check", "make_balancer", "target_name"]

_TIMEOUT_SEC = 4
_KEPT_SEC = 3600
_NAME_LENGTH = 24
_IS_KEPT = (
    "The load balancer stays before the services in this update, because the machines get their proxies at its end. "
    "Until it stands before the proxies a rollout may lose connections. For that, run `pulumi up` once more"
)


@dataclass(frozen=True)
class Balancer:
    """The balancer's *address*, and public port -> the ARN of its target group (*targets*)."""

    address: pulumi.Output[str]
    targets: Mapping[str, pulumi.Output[str]]


def health_check(app: str) -> Mapping[str, object]:
    """The balancer's health check. The machine agent answers it: the proxy of *app* that is about to stop is out
    first."""
    return {
        "protocol": "HTTP",
        "port": str(HEALTH),
        "path": f"/{proxy_name(app)}",
        "matcher": "200",
        "interval": INTERVAL_SEC,
        "timeout": _TIMEOUT_SEC,
        "healthy_threshold": TIMES,
        "unhealthy_threshold": TIMES,
    }


def make_balancer(
    context: LaunchContext,
    app: str,
    public: Mapping[int, Sequence[str]],
    group: pulumi.Input[str],
    *,
    members: Mapping[str, pulumi.Input[str]],
    workers: Mapping[str, pulumi.Input[str]],
    keep: bool = False,
) -> Balancer:
    """The balancer, in the security *group*, for the *public* ports of *app* (port -> its services), in front of
    *members* (name -> instance id) and the Auto Scaling groups of *workers* (part of the cluster -> its name). *keep*:
    existing target groups stay as they are, because no machine has a proxy yet; the gate does not wait for them."""
    if keep:
        diagnostics.warn(_IS_KEPT)
    scope, network = context.scope, context.network
    balancer = aws.lb.LoadBalancer(
        scope.named("public"),
        load_balancer_type="network",
        internal=False,
        subnets=list(network.subnet_ids.values()),
        security_groups=[group],
        # There may be fewer machines than zones.
        enable_cross_zone_load_balancing=True,
        tags=scope.tags("public"),
        opts=scope.child(depends_on=[*network.before_machines]),
    )
    arns = {}
    for port, services in public.items():
        part = f"public-{port}"
        # Up to version 0.2.0 the parts were the services. A second listener of a port would be refused.
        former = [service.replace("_", "-") for service in services]
        arns[str(port)] = targets = _targets(context, part, former, port, app, keep=keep)
        aws.lb.Listener(
            scope.named(part),
            load_balancer_arn=balancer.arn,
            protocol="TCP",
            port=port,
            default_actions=[{"type": "forward", "target_group_arn": targets}],
            tags=scope.tags(part),
            opts=scope.child(aliases=[pulumi.Alias(name=scope.named(one)) for one in former]),
        )
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
    return Balancer(balancer.dns_name, {} if keep else arns)


def target_name(part: str) -> str:
    """*part* in at most 24 characters: AWS allows 32, of which Pulumi uses eight for a unique suffix. Two parts
    with the same beginning still differ. Pure."""
    if len(part) <= _NAME_LENGTH:
        return part
    return f"{part[: _NAME_LENGTH - 7].rstrip('-')}-{hashlib.sha256(part.encode()).hexdigest()[:6]}"


def _targets(
    context: LaunchContext, part: str, former: Sequence[str], port: int, app: str, *, keep: bool
) -> pulumi.Output[str]:
    """The ARN of the target group *part*, or one of the *former* parts: the machines, at *port*."""
    scope = context.scope
    targets = aws.lb.TargetGroup(
        target_name(scope.named(part)),
        vpc_id=context.network.vpc_id,
        target_type="instance",
        protocol="TCP",
        port=port,
        health_check=health_check(app),
        deregistration_delay=DEREGISTER_SEC,
        # By default the balancer cuts the connections to a machine that leaves. Its proxy still answers them.
        target_health_states=[
            {"enable_unhealthy_connection_termination": False, "unhealthy_draining_interval": _KEPT_SEC}
        ],
        tags=scope.tags(part),
        opts=scope.child(
            aliases=[pulumi.Alias(name=target_name(scope.named(one))) for one in former],
            ignore_changes=["port", "health_check"] if keep else None,
        ),
    )
    arn: pulumi.Output[str] = targets.arn
    return arn
