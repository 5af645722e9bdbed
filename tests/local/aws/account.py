"""What is in the account, as AWS's API tells it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.local.aws.cloud import Cloud

__all__ = ["Account"]

_Things = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Account:
    """Things as the API describes them, of those that the program made: the default network is left out, and instances
    that are terminated.

    *schedules*: the scheduled actions of all groups. *user_data*: by the name of the instance, or of the launch
    template's instances. *objects*: (bucket, key) -> bytes.
    *closed*: bucket -> whether it is encrypted and public in no way. *policies*: by the name of the role without its
    suffix, all its inline statements.
    """

    instances: _Things
    volumes: _Things
    interfaces: _Things
    addresses: _Things
    networks: _Things
    groups: _Things
    templates: _Things
    scaling: _Things
    hooks: _Things
    schedules: _Things
    balancers: _Things
    listeners: _Things
    targets: Mapping[str, tuple[str, ...]]
    repositories: _Things
    user_data: Mapping[str, str]
    objects: Mapping[tuple[str, str], bytes]
    closed: Mapping[str, bool]
    policies: Mapping[str, _Things]

    @property
    def empty(self) -> bool:
        """Whether nothing is there."""
        return not any(getattr(self, name) for name in self.__dataclass_fields__)

    @classmethod
    def of(cls, cloud: Cloud) -> Account:
        """Look at everything."""
        ec2, scaling, balancing = cloud.api("ec2"), cloud.api("autoscaling"), cloud.api("elbv2")
        reservations = ec2.describe_instances()["Reservations"]
        instances = [one for reservation in reservations for one in reservation["Instances"]]
        alive = [one for one in instances if one["State"]["Name"] != "terminated"]
        default = {one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if one["IsDefault"]}
        names = [one["LaunchTemplateId"] for one in ec2.describe_launch_templates()["LaunchTemplates"]]
        templates = [_latest(ec2, name) for name in names]
        named = [(_name_in(data), data) for data in templates]
        groups = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        hooks = [scaling.describe_lifecycle_hooks(AutoScalingGroupName=one["AutoScalingGroupName"]) for one in groups]
        balancers = balancing.describe_load_balancers()["LoadBalancers"]
        listeners = [balancing.describe_listeners(LoadBalancerArn=one["LoadBalancerArn"]) for one in balancers]
        return cls(
            instances=tuple(alive),
            volumes=tuple(ec2.describe_volumes()["Volumes"]),
            interfaces=tuple(_declared(ec2)),
            addresses=tuple(ec2.describe_addresses()["Addresses"]),
            networks=tuple(one for one in ec2.describe_vpcs()["Vpcs"] if one["VpcId"] not in default),
            groups=tuple(
                one
                for one in ec2.describe_security_groups()["SecurityGroups"]
                if one["VpcId"] not in default and one["GroupName"] != "default"
            ),
            templates=tuple(templates),
            scaling=tuple(groups),
            hooks=tuple(hook for one in hooks for hook in one["LifecycleHooks"]),
            schedules=tuple(scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"]),
            balancers=tuple(balancers),
            listeners=tuple(listener for one in listeners for listener in one["Listeners"]),
            targets=_targets(balancing),
            repositories=tuple(cloud.api("ecr").describe_repositories()["repositories"]),
            user_data={**_user_data(ec2, alive), **{one: _decoded(data["UserData"]) for one, data in named}},
            objects=_objects(cloud.api("s3")),
            closed=_closed(cloud.api("s3")),
            policies=_policies(cloud.api("iam")),
        )


def _latest(ec2: Any, template: str) -> Mapping[str, Any]:
    found = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Latest"])
    data: Mapping[str, Any] = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    return data


def _name_in(template: Mapping[str, Any]) -> str:
    tags = template["TagSpecifications"][0]["Tags"]
    return next(str(tag["Value"]) for tag in tags if tag["Key"] == "Name")


def _declared(ec2: Any) -> list[Mapping[str, Any]]:
    found = ec2.describe_network_interfaces()["NetworkInterfaces"]
    return [one for one in found if one["Description"].startswith("etcd member")]


def _targets(balancing: Any) -> Mapping[str, tuple[str, ...]]:
    found = {}
    for group in balancing.describe_target_groups()["TargetGroups"]:
        health = balancing.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        found[group["TargetGroupName"]] = tuple(sorted(one["Target"]["Id"] for one in health))
    return found


def _user_data(ec2: Any, instances: list[Mapping[str, Any]]) -> dict[str, str]:
    found = {}
    for one in instances:
        if "IamInstanceProfile" in one:
            name = next(tag["Value"] for tag in one["Tags"] if tag["Key"] == "Name")
            answer = ec2.describe_instance_attribute(InstanceId=one["InstanceId"], Attribute="userData")
            found[name] = _decoded(answer["UserData"]["Value"])
    return found


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def _objects(s3: Any) -> dict[tuple[str, str], bytes]:
    found = {}
    for bucket in (one["Name"] for one in s3.list_buckets()["Buckets"]):
        for key in (one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])):
            found[bucket, key] = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def _closed(s3: Any) -> dict[str, bool]:
    found = {}
    for bucket in (one["Name"] for one in s3.list_buckets()["Buckets"]):
        rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        found[bucket] = bool(rules) and all(closed.values())
    return found


def _policies(iam: Any) -> dict[str, _Things]:
    found = {}
    for role in (one["RoleName"] for one in iam.list_roles()["Roles"]):
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
        found[role.rpartition("-")[0]] = tuple(one for document in documents for one in document["Statement"])
    return found
