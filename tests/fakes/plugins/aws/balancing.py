"""Load balancers, their listeners and target groups."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from tests.fakes.plugins.aws.aws_api import api, region
from tests.fakes.plugins.inputs import Given, pascal
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]

_HEALTH = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
}


def _balancer(given: Given) -> Made:
    params = given.params("name", "subnets", "securityGroups", "ipAddressType", loadBalancerType="Type")
    scheme = "internal" if given.get("internal") else "internet-facing"
    if len(given["name"]) > 32:
        raise ValueError(f"A load balancer's name can have at most 32 characters: {given['name']}")
    made = api("elbv2").create_load_balancer(**params, Scheme=scheme, Tags=given.pairs())["LoadBalancers"][0]
    kind = "network" if made["Type"] == "network" else "elb"
    domain = f"{made['LoadBalancerName']}-0123456789abcdef.{kind}.{region()}.amazonaws.com"
    _attributes(given.made(made["LoadBalancerArn"]))
    zone = {"zoneId": made["CanonicalHostedZoneId"], "dnsName": domain, "vpcId": made["VpcId"]}
    suffix = made["LoadBalancerArn"].partition("loadbalancer/")[2]
    return Made(made["LoadBalancerArn"], {"arn": made["LoadBalancerArn"], "arnSuffix": suffix, **zone})


def _attributes(given: Given) -> None:
    names = {"enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled"}
    names["enableDeletionProtection"] = "deletion_protection.enabled"
    pairs = [{"Key": key, "Value": str(given[name]).lower()} for name, key in names.items() if name in given]
    if pairs:
        api("elbv2").modify_load_balancer_attributes(LoadBalancerArn=given.id, Attributes=pairs)


def _regrouped(given: Given) -> None:
    api("elbv2").set_security_groups(LoadBalancerArn=given.id, SecurityGroups=given["securityGroups"])


def _subnets(given: Given) -> None:
    api("elbv2").set_subnets(LoadBalancerArn=given.id, Subnets=given["subnets"])


def _targets(given: Given) -> Made:
    params = given.params("name", "port", "protocol", "vpcId", "targetType")
    if len(given["name"]) > 32:
        raise ValueError(f"A target group's name can have at most 32 characters: {given['name']}")
    made = api("elbv2").create_target_group(**params, **_health(given), Tags=given.pairs())["TargetGroups"][0]
    identity = made["TargetGroupArn"]
    _drained(given.made(identity))
    suffix = f"targetgroup{identity.partition('targetgroup')[2]}"
    return Made(identity, {"arn": identity, "arnSuffix": suffix})


def _health(given: Given) -> dict[str, Any]:
    check = given.get("healthCheck", {})
    params = {name: check[key] for key, name in _HEALTH.items() if key in check}
    if "matcher" in check:
        params["Matcher"] = {"HttpCode": check["matcher"]}
    return params


def _checked(given: Given) -> None:
    api("elbv2").modify_target_group(TargetGroupArn=given.id, **_health(given))


def _drained(given: Given) -> None:
    names = {"deregistrationDelay": "deregistration_delay.timeout_seconds"}
    names["connectionTermination"] = "deregistration_delay.connection_termination.enabled"
    names["preserveClientIp"] = "preserve_client_ip.enabled"
    pairs = [{"Key": key, "Value": str(given[name]).lower()} for name, key in names.items() if name in given]
    for state in given.get("targetHealthStates", []):
        cut = str(state["enableUnhealthyConnectionTermination"]).lower()
        kept = str(state["unhealthyDrainingInterval"])
        pairs.append({"Key": "target_health_state.unhealthy.connection_termination.enabled", "Value": cut})
        pairs.append({"Key": "target_health_state.unhealthy.draining_interval_seconds", "Value": kept})
    if pairs:
        api("elbv2").modify_target_group_attributes(TargetGroupArn=given.id, Attributes=pairs)


def _target(given: Given) -> Made:
    target = given.params("port", targetId="Id")
    api("elbv2").register_targets(TargetGroupArn=given["targetGroupArn"], Targets=[target])
    return Made(f"{given['targetGroupArn']}-{target['Id']}")


def _no_target(had: Given) -> None:
    target = {"Id": had["targetId"], **({"Port": had["port"]} if "port" in had else {})}
    try:
        api("elbv2").deregister_targets(TargetGroupArn=had["targetGroupArn"], Targets=[target])
    # Not its own class, which a client makes at first use: two threads may make two.
    except ClientError as error:
        # AWS lets the target go that does not exist any more.
        if error.response["Error"]["Code"] != "InvalidTarget":
            raise


def _listener(given: Given) -> Made:
    params = given.params("loadBalancerArn", "port", "protocol", "sslPolicy")
    actions = [pascal(item) for item in given["defaultActions"]]
    if "certificateArn" in given:
        params["Certificates"] = [{"CertificateArn": given["certificateArn"]}]
    made = api("elbv2").create_listener(**params, DefaultActions=actions, Tags=given.pairs())["Listeners"][0]
    return Made(made["ListenerArn"], {"arn": made["ListenerArn"]})


def _relistened(given: Given) -> None:
    params = given.params("port", "protocol")
    api("elbv2").modify_listener(ListenerArn=given.id, **params, DefaultActions=pascal(given["defaultActions"]))


KINDS = {
    "aws:lb/loadBalancer:LoadBalancer": Kind(
        _balancer,
        lambda had: api("elbv2").delete_load_balancer(LoadBalancerArn=had.id),
        replaces=words("internal loadBalancerType name namePrefix"),
        updates={
            "securityGroups": _regrouped,
            "subnets": _subnets,
            **dict.fromkeys(words("enableCrossZoneLoadBalancing enableDeletionProtection"), _attributes),
        },
        autoname="name",
        unique="name",
    ),
    "aws:lb/targetGroup:TargetGroup": Kind(
        _targets,
        lambda had: api("elbv2").delete_target_group(TargetGroupArn=had.id),
        replaces=words("name namePrefix port protocol protocolVersion targetType vpcId"),
        updates={
            "healthCheck": _checked,
            **dict.fromkeys(words("deregistrationDelay preserveClientIp targetHealthStates"), _drained),
        },
        autoname="name",
        unique="name",
    ),
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": Kind(
        _target, _no_target, replaces=words("availabilityZone port targetGroupArn targetId")
    ),
    "aws:lb/listener:Listener": Kind(
        _listener,
        lambda had: api("elbv2").delete_listener(ListenerArn=had.id),
        replaces=words("loadBalancerArn"),
        updates=dict.fromkeys(words("defaultActions port protocol"), _relistened),
    ),
}
