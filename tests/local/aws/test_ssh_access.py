"""Who gets in by ssh: decided by the rules and instances of moto, so that a closed way in is one."""

from __future__ import annotations

import json

import pytest

from tests.local.aws.cloud import NEWER, Cloud
from tests.local.aws.ssh_access import SshAccess

_SESSION = "aws ssm start-session --region eu-west-1 --target %h"


@pytest.fixture
def member(cloud: Cloud) -> dict[str, str]:
    """A member: the ids of its instance and group, its public address and role."""
    ec2, iam = cloud.api("ec2"), cloud.api("iam")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=f"of-{vpc}", Description="ssh", VpcId=vpc)["GroupId"]
    made = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.9.0.11", Groups=[group])
    interface = made["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface)
    role = f"role-{vpc}"
    iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName=role)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    instance = ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        ImageId=NEWER,
        InstanceType="t3.medium",
        IamInstanceProfile={"Name": role},
        NetworkInterfaces=[{"NetworkInterfaceId": interface, "DeviceIndex": 0}],
    )["Instances"][0]["InstanceId"]
    return {"instance": instance, "group": group, "address": address["PublicIp"], "role": role}


def _ssh(host: str, proxy: str = "") -> list[str]:
    return ["ssh", *(["-o", f"ProxyCommand={proxy}"] if proxy else []), "--", f"core@{host}", "true"]


def test_an_address_is_open_only_by_a_rule_for_who_connects(cloud: Cloud, member: dict[str, str]) -> None:
    """And only while its instance runs; a machine behind it is reached by the same way."""
    access = SshAccess(cloud, "198.51.100.7")
    direct = _ssh(member["address"])
    behind = _ssh("10.9.0.99", f"ssh -W '[%h]:%p' -- core@{member['address']}")
    assert "timed out" in access.refusal(direct)
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}
    cloud.api("ec2").authorize_security_group_ingress(GroupId=member["group"], IpPermissions=[rule])
    assert access.refusal(direct) == access.refusal(behind) == ""
    access.own = "192.0.2.9"
    assert "timed out" in access.refusal(direct)
    assert "timed out" in access.refusal(behind)
    access.own = "198.51.100.7"
    cloud.terminate(["10.9.0.11"])
    assert "timed out" in access.refusal(direct)


def test_a_session_needs_the_roles_right_and_a_running_instance(cloud: Cloud, member: dict[str, str]) -> None:
    """And the program that opens it: an instance's id is no host."""
    access, host = SshAccess(cloud, "198.51.100.7"), member["instance"]
    assert "TargetNotConnected" in access.refusal(_ssh(host, _SESSION))
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssmmessages:OpenDataChannel"}]}
    policy["Statement"][0]["Resource"] = "*"  # type: ignore[index]
    cloud.api("iam").put_role_policy(RoleName=member["role"], PolicyName="p", PolicyDocument=json.dumps(policy))
    assert access.refusal(_ssh(host, _SESSION)) == ""
    assert "resolve hostname" in access.refusal(_ssh(host))
    cloud.terminate(["10.9.0.11"])
    assert "TargetNotConnected" in access.refusal(_ssh(host, _SESSION))
