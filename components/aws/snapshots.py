"""Daily snapshots of etcd's volumes, by Amazon Data Lifecycle Manager: copies that outlive the volumes."""

from __future__ import annotations

import json

import pulumi_aws as aws

from components.aws.iam import trust
from components.aws.scope import Scope

__all__ = ["KEPT_SNAPSHOTS", "make_snapshots", "snapshot_tag"]

KEPT_SNAPSHOTS = 7
"""How many snapshots of each volume are kept."""

_SNAPSHOTS, _VOLUMES = "arn:aws:ec2:*::snapshot/*", "arn:aws:ec2:*:*:volume/*"
# As in AWS's own policy for this purpose, without what shares snapshots and makes them faster.
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["ec2:DescribeInstances", "ec2:DescribeSnapshots", "ec2:DescribeVolumes"],
            "Resource": "*",
        },
        {"Effect": "Allow", "Action": "ec2:CreateSnapshot", "Resource": [_VOLUMES, _SNAPSHOTS]},
        {"Effect": "Allow", "Action": ["ec2:CreateTags", "ec2:DeleteSnapshot"], "Resource": _SNAPSHOTS},
    ],
}


def snapshot_tag(scope: Scope) -> dict[str, str]:
    """The tag of the volumes that are copied. ``fleetcaptain:stack`` is also that of root disks."""
    return {"fleetcaptain:snapshots": scope.identity}


def make_snapshots(scope: Scope) -> None:
    """Has each volume with the `snapshot_tag` of *scope* copied once a day. Snapshots stay when the policy is
    deleted."""
    role = aws.iam.Role(
        scope.named("snapshots"),
        assume_role_policy=trust("dlm.amazonaws.com"),
        tags=scope.tags("snapshots"),
        opts=scope.child(),
    )
    allowed = aws.iam.RolePolicy(
        scope.named("snapshots"), role=role.name, policy=json.dumps(_POLICY), opts=scope.child()
    )
    aws.dlm.LifecyclePolicy(
        scope.named("snapshots"),
        description="Daily snapshots of the volumes of etcd",
        execution_role_arn=role.arn,
        policy_details={
            "resource_types": ["VOLUME"],
            "target_tags": snapshot_tag(scope),
            "schedules": [
                {
                    "name": "daily",
                    "create_rule": {"interval": 24, "interval_unit": "HOURS", "times": "03:00"},
                    "retain_rule": {"count": KEPT_SNAPSHOTS},
                    "copy_tags": True,
                }
            ],
        },
        tags=scope.tags("snapshots"),
        opts=scope.child(depends_on=[allowed]),
    )
