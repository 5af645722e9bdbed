"""The rights of an operator in AWS: what `pulumi up` and `captain` call, as one IAM policy. Pure.

Actions are those of AWS's service authorization reference. Resources are named where their names are known beforehand,
because Pulumi names them after the cluster. Those of EC2, Auto Scaling and the load balancer have ids that AWS chooses,
so the rights to them are limited to one region instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["GRANTS", "MOST_CHARACTERS", "Grant", "operator_policy"]

MOST_CHARACTERS = 6144
"""The limit of a managed policy, without white space."""

_ANY = ("*",)


@dataclass(frozen=True)
class Grant:
    """*actions* (of one or more services) on *resources* with a *condition*, for one purpose. *regional*: only in the
    region of the cluster. In *resources*, ``{region}`` and ``{account}`` stand for those of the cluster."""

    name: str
    actions: str
    resources: tuple[str, ...] = _ANY
    condition: Mapping[str, Any] = field(default_factory=dict)
    regional: bool = False


GRANTS = (
    Grant(
        "Look",
        """
        ec2:Describe* ec2:GetSubnetCidrReservations ec2:GetConsoleOutput autoscaling:Describe*
        elasticloadbalancing:Describe* dlm:GetLifecyclePolicy dlm:ListTagsForResource servicequotas:GetServiceQuota
        servicequotas:GetAWSDefaultServiceQuota
        """,
        regional=True,
    ),
    Grant("Account", "sts:GetCallerIdentity ecr:GetAuthorizationToken"),
    Grant(
        "Network",
        """
        ec2:CreateVpc ec2:DeleteVpc ec2:ModifyVpcAttribute ec2:CreateInternetGateway ec2:AttachInternetGateway
        ec2:DetachInternetGateway ec2:DeleteInternetGateway ec2:CreateRouteTable ec2:DeleteRouteTable
        ec2:AssociateRouteTable ec2:DisassociateRouteTable ec2:ReplaceRouteTableAssociation ec2:CreateRoute
        ec2:ReplaceRoute ec2:DeleteRoute ec2:CreateSubnet ec2:DeleteSubnet ec2:ModifySubnetAttribute
        ec2:CreateSubnetCidrReservation ec2:DeleteSubnetCidrReservation ec2:CreateSecurityGroup
        ec2:DeleteSecurityGroup ec2:AuthorizeSecurityGroup* ec2:RevokeSecurityGroup* ec2:ModifySecurityGroupRules
        ec2:CreateNetworkInterface ec2:DeleteNetworkInterface ec2:ModifyNetworkInterfaceAttribute
        ec2:DetachNetworkInterface ec2:AllocateAddress ec2:ReleaseAddress ec2:AssociateAddress
        ec2:DisassociateAddress ec2:CreateTags ec2:DeleteTags
        """,
        regional=True,
    ),
    Grant(
        "Machines",
        """
        ec2:RunInstances ec2:StartInstances ec2:StopInstances ec2:TerminateInstances ec2:ModifyInstanceAttribute
        ec2:ModifyInstanceMetadataOptions ec2:CreateVolume ec2:ModifyVolume ec2:DeleteVolume ec2:AttachVolume
        ec2:DetachVolume ec2:CreateLaunchTemplate ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate
        ec2:DeleteLaunchTemplate autoscaling:CreateAutoScalingGroup autoscaling:UpdateAutoScalingGroup
        autoscaling:DeleteAutoScalingGroup autoscaling:SetDesiredCapacity autoscaling:SetInstanceProtection
        autoscaling:CreateOrUpdateTags autoscaling:DeleteTags autoscaling:PutLifecycleHook
        autoscaling:DeleteLifecycleHook autoscaling:*LoadBalancerTargetGroups autoscaling:*InstanceRefresh
        autoscaling:SuspendProcesses autoscaling:ResumeProcesses autoscaling:PutScheduledUpdateGroupAction
        autoscaling:DeleteScheduledAction dlm:CreateLifecyclePolicy dlm:UpdateLifecyclePolicy
        dlm:DeleteLifecyclePolicy dlm:TagResource dlm:UntagResource
        """,
        regional=True,
    ),
    Grant(
        "Balancer",
        """
        elasticloadbalancing:Create* elasticloadbalancing:Delete* elasticloadbalancing:Modify*
        elasticloadbalancing:RegisterTargets elasticloadbalancing:DeregisterTargets
        elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets elasticloadbalancing:AddTags
        elasticloadbalancing:RemoveTags
        """,
        regional=True,
    ),
    Grant(
        "Bucket",
        """
        s3:CreateBucket s3:DeleteBucket s3:ListBucket s3:ListBucketVersions s3:GetBucket* s3:Get*Configuration
        s3:PutBucketPolicy s3:DeleteBucketPolicy s3:PutBucketPublicAccessBlock s3:PutEncryptionConfiguration
        s3:PutBucketTagging
        """,
        ("arn:aws:s3:::cluster-boot-*",),
    ),
    Grant(
        "Objects",
        """
        s3:PutObject s3:PutObjectTagging s3:GetObject s3:GetObjectTagging s3:DeleteObject s3:DeleteObjectVersion
        """,
        ("arn:aws:s3:::cluster-boot-*/*",),
    ),
    Grant(
        "Roles",
        """
        iam:CreateRole iam:DeleteRole iam:GetRole iam:UpdateRole iam:UpdateAssumeRolePolicy iam:TagRole iam:UntagRole
        iam:ListRolePolicies iam:ListAttachedRolePolicies iam:ListInstanceProfilesForRole iam:PutRolePolicy
        iam:GetRolePolicy iam:DeleteRolePolicy iam:AttachRolePolicy iam:DetachRolePolicy iam:CreateInstanceProfile
        iam:DeleteInstanceProfile iam:GetInstanceProfile iam:TagInstanceProfile iam:UntagInstanceProfile
        iam:AddRoleToInstanceProfile iam:RemoveRoleFromInstanceProfile
        """,
        ("arn:aws:iam::{account}:role/cluster-*", "arn:aws:iam::{account}:instance-profile/cluster-*"),
    ),
    Grant(
        "PassRoles",
        "iam:PassRole",
        ("arn:aws:iam::{account}:role/cluster-*",),
        {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "dlm.amazonaws.com"]}},
    ),
    Grant(
        "ServiceRoles",
        "iam:CreateServiceLinkedRole",
        ("arn:aws:iam::{account}:role/aws-service-role/*",),
        {
            "StringEquals": {
                "iam:AWSServiceName": [
                    "autoscaling.amazonaws.com",
                    "elasticloadbalancing.amazonaws.com",
                    "spot.amazonaws.com",
                ]
            }
        },
    ),
    Grant(
        "Images",
        """
        ecr:CreateRepository ecr:DeleteRepository ecr:DescribeRepositories ecr:ListTagsForResource ecr:TagResource
        ecr:UntagResource ecr:PutImageScanningConfiguration ecr:PutImageTagMutability ecr:PutLifecyclePolicy
        ecr:GetLifecyclePolicy ecr:DeleteLifecyclePolicy ecr:BatchCheckLayerAvailability ecr:BatchGetImage
        ecr:GetDownloadUrlForLayer ecr:InitiateLayerUpload ecr:UploadLayerPart ecr:CompleteLayerUpload ecr:PutImage
        """,
        ("arn:aws:ecr:{region}:{account}:repository/*",),
    ),
    Grant(
        "Sessions",
        "ssm:StartSession",
        ("arn:aws:ec2:{region}:{account}:instance/*", "arn:aws:ssm:{region}::document/AWS-StartSSHSession"),
    ),
    Grant(
        "OwnSessions",
        "ssm:TerminateSession ssm:ResumeSession",
        # Users have a name, roles an id only.
        ("arn:aws:ssm:*:*:session/${{aws:username}}-*", "arn:aws:ssm:*:*:session/${{aws:userid}}-*"),
    ),
)
"""All rights, by purpose. The scenario of `tests/local/aws` compares them with what it called."""


def operator_policy(region: str = "*", account: str = "*") -> Mapping[str, Any]:
    """The IAM policy of an operator of clusters in *region* of *account*; ``*`` is any."""
    return {"Version": "2012-10-17", "Statement": [_statement(grant, region, account) for grant in GRANTS]}


def _statement(grant: Grant, region: str, account: str) -> Mapping[str, Any]:
    condition = dict(grant.condition)
    if grant.regional and region != "*":
        condition["StringEquals"] = {"aws:RequestedRegion": region}
    resources = [resource.format(region=region, account=account) for resource in grant.resources]
    return {
        "Sid": grant.name,
        "Effect": "Allow",
        "Action": sorted(grant.actions.split()),
        "Resource": resources if len(resources) > 1 else resources[0],
        **({"Condition": condition} if condition else {}),
    }
