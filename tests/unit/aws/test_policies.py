"""The policies of roles and buckets: each action exists, is on resources of its kind, and is needed.

moto enforces no policy, and AWS accepts one whose actions never match its resources. The kinds of resources are those
of AWS's service authorization reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.fakes.fake_engine import FakeEngine
from tests.unit.aws.declared import declare
from tests.unit.schedule.windows import window

_EVERYTHING = r"\*"
_BUCKET, _OBJECT = r"arn:aws:s3:::[a-z-]+", r"arn:aws:s3:::[a-z-]+/.+"
_REPOSITORY = r"arn:aws:ecr:[^:]+:\d+:repository/.+"
_GROUP = r"arn:aws:autoscaling:[^:]+:[^:]+:autoScalingGroup:.+"
_SNAPSHOT, _VOLUME = r"arn:aws:ec2:[^:]+:[^:]*:snapshot/.+", r"arn:aws:ec2:[^:]+:[^:]*:volume/.+"
_RESOURCES = {
    "s3:GetObject": _OBJECT,
    "ecr:GetAuthorizationToken": _EVERYTHING,  # of the whole registry
    "ecr:BatchCheckLayerAvailability": _REPOSITORY,
    "ecr:BatchGetImage": _REPOSITORY,
    "ecr:GetDownloadUrlForLayer": _REPOSITORY,
    "autoscaling:CompleteLifecycleAction": _GROUP,
    "ssm:UpdateInstanceInformation": _EVERYTHING,  # the agent's, before its instance is known to it
    "ssmmessages:CreateControlChannel": _EVERYTHING,
    "ssmmessages:CreateDataChannel": _EVERYTHING,
    "ssmmessages:OpenControlChannel": _EVERYTHING,
    "ssmmessages:OpenDataChannel": _EVERYTHING,
    "ec2:CreateSnapshot": f"{_VOLUME}|{_SNAPSHOT}",
    "ec2:CreateSnapshots": f"{_VOLUME}|{_SNAPSHOT}|arn:aws:ec2:[^:]+:[^:]*:instance/.+",
    "ec2:DeleteSnapshot": _SNAPSHOT,
    "ec2:CreateTags": _SNAPSHOT,
    "ec2:DescribeInstances": _EVERYTHING,
    "ec2:DescribeVolumes": _EVERYTHING,
    "ec2:DescribeSnapshots": _EVERYTHING,
}
"""Action -> the ARNs that it is on. An action that is missing here is added with what the reference says of it."""


@cache
def _declared() -> tuple[FakeEngine, ...]:
    configs = ({"size": "4", "allowSshFrom": ""}, {"size": "4"})
    return tuple(declare(config, windows=[[window(machines=2)]]) for config in configs)


def _documents(kind: str, key: str = "policy") -> Iterator[tuple[str, dict[str, Any]]]:
    """The policies of all resources of a *kind*, with ARNs in the place of the engine's."""
    for engine in _declared():
        arns = {f"{name}.arn": "arn:aws:s3:::boot" for name in engine.of("Bucket")}
        arns |= {
            f"{name}.arn": f"arn:aws:ecr:eu-west-1:123456789012:repository/{name}" for name in engine.of("Repository")
        }
        for name, inputs in engine.of(kind).items():
            text = inputs[key]
            for made_up, arn in arns.items():
                text = text.replace(made_up, arn)
            yield name, json.loads(text)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def wrong_in(statement: dict[str, Any]) -> list[str]:
    """What AWS would accept and never allow, or what is not in the table."""
    return [
        f"{action} on {resource}"
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
        if not re.fullmatch(_RESOURCES.get(action, "not in the table"), resource)
    ]


def test_each_action_of_a_role_is_on_resources_of_its_kind() -> None:
    """And is one that the machines need, which the table lists."""
    found = list(_documents("RolePolicy"))
    assert found
    for name, document in found:
        assert document["Version"] == "2012-10-17"
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow"
            assert wrong_in(statement) == [], name


def test_a_role_has_no_policy_of_others() -> None:
    """A managed policy changes without us, and those of AWS are wide. AWS's own roles of services are theirs."""
    for engine in _declared():
        arns = [inputs["policyArn"] for inputs in engine.of("RolePolicyAttachment").values()]
        assert [arn for arn in arns if "/service-role/" not in arn] == []


def test_only_services_of_aws_take_a_role() -> None:
    """EC2 for its machines."""
    found = list(_documents("Role", "assumeRolePolicy"))
    assert found
    for name, document in found:
        for statement in document["Statement"]:
            assert statement["Action"] == "sts:AssumeRole"
            assert set(statement["Principal"]) == {"Service"}, name
            assert statement["Principal"]["Service"] in {"ec2.amazonaws.com", "dlm.amazonaws.com"}, name


def test_the_bucket_denies_what_is_not_encrypted_and_allows_no_one() -> None:
    """Its readers are allowed by their roles."""
    found = list(_documents("BucketPolicy"))
    assert found
    for _, document in found:
        (statement,) = document["Statement"]
        assert (statement["Effect"], statement["Action"], statement["Principal"]) == ("Deny", "s3:*", "*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        bucket, objects = statement["Resource"]
        assert re.fullmatch(_BUCKET, bucket)
        assert objects == f"{bucket}/*"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", "arn:aws:s3:::boot"),
        ("ecr:BatchGetImage", "*"),
        ("ecr:GetAuthorizationToken", "arn:aws:ecr:eu-west-1:123456789012:repository/shop"),
        ("ec2:TerminateInstances", "*"),
    ],
)
def test_an_action_on_another_kind_of_resource_is_found(action: str, resource: str) -> None:
    """So is one that no machine needs."""
    assert wrong_in({"Action": action, "Resource": resource}) == [f"{action} on {resource}"]
