"""IAM: a role for members and one for workers, each with only the rights that its machines need to boot and to pull
images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.scope import Scope

__all__ = ["WORKERS", "MachineIdentity", "make_identity", "policy", "trust"]

WORKERS = "workers"
"""The kind of all machines that keep none of etcd's data."""

# What the agent of Systems Manager calls for a session; since its version 3.3.40 it does without ec2messages. AWS's own
# policy for it also lets a machine read every parameter of the account.
_SESSIONS = [
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
]
_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


@dataclass(frozen=True)
class MachineIdentity:
    """The instance profile's name, and what must exist before a machine can use it."""

    profile: pulumi.Output[str]
    before_machines: tuple[pulumi.Resource, ...]


def policy(
    bucket_arn: str, kind: str, repository_arns: Sequence[str], partition: str, stack: str, *, ssm: bool = False
) -> Mapping[str, Any]:
    """The rights of a machine of *kind* (``members``, ``workers``): read its programs, its own keys and those of
    etcd's users, pull images. A worker tells the Auto Scaling groups of its *stack* when it is drained. *ssm*: AWS
    Systems Manager may open sessions on it."""
    folders = ("bin", "config", f"tls/{kind}", "tls/users")
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"{bucket_arn}/{folder}/*" for folder in folders]},
        # It applies to the whole account: AWS accepts no other resource here.
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    ]
    if kind == WORKERS:
        # By the tag and not by name: the role must exist before the groups, and is deleted after them.
        statements.append(
            {
                "Effect": "Allow",
                "Action": "autoscaling:CompleteLifecycleAction",
                "Resource": f"arn:{partition}:autoscaling:*:*:autoScalingGroup:*",
                "Condition": {"StringEquals": {"aws:ResourceTag/fleetcaptain:stack": stack}},
            }
        )
    if repository_arns:
        statements.append({"Effect": "Allow", "Action": _PULL, "Resource": sorted(repository_arns)})
    if ssm:
        # They have no resources: AWS accepts only the whole account.
        statements.append({"Effect": "Allow", "Action": _SESSIONS, "Resource": "*"})
    return {"Version": "2012-10-17", "Statement": statements}


def trust(service: str) -> str:
    """The policy with which AWS's *service*, such as ``ec2.amazonaws.com``, may take on a role, as JSON. Pure."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_identity(
    scope: Scope,
    kind: str,
    bucket_arn: pulumi.Input[str],
    repository_arns: Sequence[pulumi.Input[str]],
    *,
    ssm: bool,
) -> MachineIdentity:
    """The role of the machines of *kind*. With *ssm*, AWS Systems Manager may open sessions on them."""
    role = aws.iam.Role(
        scope.named(kind), assume_role_policy=trust("ec2.amazonaws.com"), tags=scope.tags(kind), opts=scope.child()
    )
    partition = aws.get_partition().partition
    text = pulumi.Output.all(bucket_arn, *repository_arns).apply(
        lambda arns: json.dumps(
            policy(str(arns[0]), kind, [str(arn) for arn in arns[1:]], partition, scope.identity, ssm=ssm)
        )
    )
    allowed = aws.iam.RolePolicy(scope.named(kind), role=role.name, policy=text, opts=scope.child())
    profile = aws.iam.InstanceProfile(scope.named(kind), role=role.name, tags=scope.tags(kind), opts=scope.child())
    return MachineIdentity(profile.name, (allowed,))
