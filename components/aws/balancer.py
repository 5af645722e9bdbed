"""The load balancer: a network load balancer with a listener for each public port. It sends connections to machines on
which the app's proxy is registered, which has the same port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.launch_context import LaunchContext
from fleetcaptain.machine.ec2 import DEREGISTER_SEC
from fleetcaptain.machine.machine_ports import HEALTH
from fleetcaptain.release.balanced_app import INTERVAL_SEC, TIMES
from fleetcaptain.units.agent_calls import proxy_name

__all__ = ["Balancer", "health_check", "make_balancer"]

_TIMEOUT_SEC = 4
_KEPT_SEC = 3600
# Not "public", as up to version 0.2.0: that balancer leads to the services themselves, until the end of an update.
_PART = "proxies"


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
    public: Iterable[int],
    group: pulumi.Input[str],
    *,
    members: Mapping[str, pulumi.Input[str]],
    workers: pulumi.Input[str] | None,
) -> Balancer:
    """The balancer, in the security *group*, for the *public* ports of *app*, in front of *members* (name -> instance
    id) and the Auto Scaling group of the *workers*, if there are any. Machines of windows have no proxy."""
    scope, network = context.scope, context.network
    balancer = aws.lb.LoadBalancer(
        scope.named(_PART),
        load_balancer_type="network",
        internal=False,
        subnets=list(network.subnet_ids.values()),
        security_groups=[group],
        # There may be fewer machines than zones.
        enable_cross_zone_load_balancing=True,
        tags=scope.tags(_PART),
        opts=scope.child(depends_on=[*network.before_machines]),
    )
    arns = {}
    for port in public:
        part = f"{_PART}-{port}"
        arns[str(port)] = targets = _listen(context, balancer, part, port, app)
        for name, instance in members.items():
            aws.lb.TargetGroupAttachment(
                scope.named(f"{part}-{name}"), target_group_arn=targets, target_id=instance, opts=scope.child()
            )
        if workers is not None:
            aws.autoscaling.Attachment(
                scope.named(f"{part}-workers"),
                autoscaling_group_name=workers,
                lb_target_group_arn=targets,
                opts=scope.child(),
            )
    return Balancer(balancer.dns_name, arns)


def _listen(
    context: LaunchContext, balancer: aws.lb.LoadBalancer, part: str, port: int, app: str
) -> pulumi.Output[str]:
    """The listener of *port*; the ARN of the target group that it leads to."""
    scope = context.scope
    targets = aws.lb.TargetGroup(
        scope.named(part),
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
        opts=scope.child(),
    )
    aws.lb.Listener(
        scope.named(part),
        load_balancer_arn=balancer.arn,
        protocol="TCP",
        port=port,
        default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
        tags=scope.tags(part),
        opts=scope.child(),
    )
    arn: pulumi.Output[str] = targets.arn
    return arn
