"""Roles, their policies, and instance profiles."""

from __future__ import annotations

from tests.fakes.plugins.aws.aws_api import api
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]


def _role(given: Given) -> Made:
    params = given.params("description", "path", "maxSessionDuration", "permissionsBoundary", name="RoleName")
    made = api("iam").create_role(**params, AssumeRolePolicyDocument=given["assumeRolePolicy"], Tags=given.pairs())[
        "Role"
    ]
    for arn in given.get("managedPolicyArns", []):
        api("iam").attach_role_policy(RoleName=made["RoleName"], PolicyArn=arn)
    for item in given.get("inlinePolicies", []):
        api("iam").put_role_policy(RoleName=made["RoleName"], PolicyName=item["name"], PolicyDocument=item["policy"])
    return Made(made["RoleName"], {"arn": made["Arn"], "uniqueId": made["RoleId"]})


def _trusted(given: Given) -> None:
    api("iam").update_assume_role_policy(RoleName=given.id, PolicyDocument=given["assumeRolePolicy"])


def _role_tags(given: Given) -> None:
    api("iam").tag_role(RoleName=given.id, Tags=given.pairs())


def _policy(given: Given) -> Made:
    _put_policy(given)
    return Made(f"{given['role']}:{given['name']}")


def _put_policy(given: Given) -> None:
    api("iam").put_role_policy(RoleName=given["role"], PolicyName=given["name"], PolicyDocument=given["policy"])


def _no_policy(had: Given) -> None:
    api("iam").delete_role_policy(RoleName=had["role"], PolicyName=had["name"])


def _profile(given: Given) -> Made:
    params = given.params("path", name="InstanceProfileName")
    made = api("iam").create_instance_profile(**params, Tags=given.pairs())["InstanceProfile"]
    name = made["InstanceProfileName"]
    if "role" in given:
        api("iam").add_role_to_instance_profile(InstanceProfileName=name, RoleName=given["role"])
    return Made(name, {"arn": made["Arn"], "uniqueId": made["InstanceProfileId"]})


def _no_profile(had: Given) -> None:
    if "role" in had:
        api("iam").remove_role_from_instance_profile(InstanceProfileName=had.id, RoleName=had["role"])
    api("iam").delete_instance_profile(InstanceProfileName=had.id)


KINDS = {
    "aws:iam/role:Role": Kind(
        _role,
        lambda had: api("iam").delete_role(RoleName=had.id),
        replaces=words("name namePrefix path"),
        updates={"assumeRolePolicy": _trusted, "tags": _role_tags},
        unmet=words("forceDetachPolicies"),
        autoname="name",
        unique="name",
    ),
    "aws:iam/rolePolicy:RolePolicy": Kind(
        _policy,
        _no_policy,
        replaces=words("name namePrefix role"),
        updates={"policy": _put_policy},
        autoname="name",
    ),
    "aws:iam/instanceProfile:InstanceProfile": Kind(
        _profile,
        _no_profile,
        replaces=words("name namePrefix path"),
        updates={},
        autoname="name",
        unique="name",
    ),
}
