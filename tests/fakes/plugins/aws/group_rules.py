"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fakes.plugins.aws.aws_api import api, arn, ec2_tags, found
from tests.fakes.plugins.aws.refused import check_group_free
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]


def _group(given: Given) -> Made:
    params = given.params("description", "vpcId", name="GroupName")
    made = api("ec2").create_security_group(
        **{"Description": "Managed by Pulumi", **params}, **given.tags("security-group")
    )
    identity = made["GroupId"]
    # As the real one does: AWS's own rule, everything may leave, goes first.
    group = api("ec2").describe_security_groups(GroupIds=[identity])["SecurityGroups"][0]
    if group["IpPermissionsEgress"]:
        api("ec2").revoke_security_group_egress(GroupId=identity, IpPermissions=group["IpPermissionsEgress"])
    for key, verb in (("ingress", "authorize_security_group_ingress"), ("egress", "authorize_security_group_egress")):
        rules = [_inline(Given(rule), identity) for rule in given.get(key, [])]
        if rules:
            getattr(api("ec2"), verb)(GroupId=identity, IpPermissions=rules)
    return Made(identity, {"arn": arn("ec2", f"security-group/{identity}"), "ownerId": group["OwnerId"]})


def _no_group(had: Given) -> None:
    check_group_free(had.id)
    api("ec2").delete_security_group(GroupId=had.id)


def _inline(rule: Given, own: str) -> dict[str, Any]:
    note = rule.params("description")
    permission = rule.params("fromPort", "toPort", protocol="IpProtocol")
    permission["IpRanges"] = [{"CidrIp": block, **note} for block in rule.get("cidrBlocks", [])]
    groups = [*rule.get("securityGroups", []), *([own] if rule.get("self") else [])]
    permission["UserIdGroupPairs"] = [{"GroupId": group, **note} for group in groups]
    return permission


def _rule(verb: str) -> Callable[[Given], Made]:
    def create(given: Given) -> Made:
        note = given.params("description")
        permission = given.params("fromPort", "toPort", "ipProtocol")
        if "cidrIpv4" in given:
            permission["IpRanges"] = [{"CidrIp": given["cidrIpv4"], **note}]
        if "cidrIpv6" in given:
            permission["Ipv6Ranges"] = [{"CidrIpv6": given["cidrIpv6"], **note}]
        if "referencedSecurityGroupId" in given:
            permission["UserIdGroupPairs"] = [{"GroupId": given["referencedSecurityGroupId"], **note}]
        ask = getattr(api("ec2"), f"authorize_security_group_{verb}")
        made = ask(GroupId=given["securityGroupId"], IpPermissions=[permission], **given.tags("security-group-rule"))
        identity = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return Made(identity, {"arn": arn("ec2", f"security-group-rule/{identity}"), "securityGroupRuleId": identity})

    return create


def _modified(given: Given) -> None:
    rule = given.params("fromPort", "toPort", "ipProtocol", "description", "cidrIpv4", "cidrIpv6")
    rule |= given.params(referencedSecurityGroupId="ReferencedGroupId")
    rules = [{"SecurityGroupRuleId": given.id, "SecurityGroupRule": rule}]
    api("ec2").modify_security_group_rules(GroupId=given["securityGroupId"], SecurityGroupRules=rules)


def _revoked(verb: str) -> Callable[[Given], None]:
    def delete(had: Given) -> None:
        ask = getattr(api("ec2"), f"revoke_security_group_{verb}")
        ask(GroupId=had["securityGroupId"], SecurityGroupRuleIds=[had.id])

    return delete


def _read(had: Given) -> dict[str, Any] | None:
    """A rule has no property that changes without it."""
    rule = found(api("ec2").describe_security_group_rules, "SecurityGroupRules", SecurityGroupRuleIds=[had.id])
    return None if rule is None else {}


def _rule_kind(verb: str) -> Kind:
    changed = words("cidrIpv4 cidrIpv6 description fromPort ipProtocol referencedSecurityGroupId toPort")
    return Kind(
        _rule(verb),
        _revoked(verb),
        replaces=words("securityGroupId"),
        updates={"tags": ec2_tags, **dict.fromkeys(changed, _modified)},
        read=_read,
    )


KINDS = {
    "aws:ec2/securityGroup:SecurityGroup": Kind(
        _group,
        _no_group,
        replaces=words("description name namePrefix vpcId"),
        updates={"tags": ec2_tags},
        unmet=words("revokeRulesOnDelete"),
        autoname="name",
        unique="name",
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _rule_kind("ingress"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _rule_kind("egress"),
}
