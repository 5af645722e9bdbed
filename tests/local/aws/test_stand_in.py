"""The stand-in for the aws plugin is no yes-man: what AWS would refuse fails in it too."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.fakes.plugins.aws import PLUGIN
from tests.fakes.plugins.wire import UNKNOWN
from tests.local.aws.cloud import ARM, NEWER, Cloud
from tests.local.aws.plugin_client import Asking, Refusal

_TYPES = {
    "Vpc": "aws:ec2/vpc:Vpc",
    "Subnet": "aws:ec2/subnet:Subnet",
    "Group": "aws:ec2/securityGroup:SecurityGroup",
    "Rule": "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "Interface": "aws:ec2/networkInterface:NetworkInterface",
    "Instance": "aws:ec2/instance:Instance",
    "Volume": "aws:ebs/volume:Volume",
    "Attachment": "aws:ec2/volumeAttachment:VolumeAttachment",
    "Template": "aws:ec2/launchTemplate:LaunchTemplate",
    "Scaling": "aws:autoscaling/group:Group",
    "Schedule": "aws:autoscaling/schedule:Schedule",
}


class _Engine(Asking):
    """Types by their short names, and only what these tests look at."""

    def make(self, kind: str, **inputs: Any) -> str:
        return self.create(_TYPES[kind], inputs)[0]

    def end(self, kind: str, identity: str, **state: Any) -> None:
        self.delete(_TYPES[kind], identity, state)


@pytest.fixture
def engine(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> _Engine:
    """The stand-in, asking moto."""
    for name, value in cloud.environ.items():
        monkeypatch.setenv(name, value)
    PLUGIN.configure({"region": "eu-west-1"})
    return _Engine(PLUGIN)


@pytest.fixture
def subnet(engine: _Engine) -> str:
    """A subnet, 10.0.1.0/24, in a zone of its own."""
    vpc = engine.make("Vpc", cidrBlock="10.0.0.0/16")
    return engine.make("Subnet", vpcId=vpc, cidrBlock="10.0.1.0/24", availabilityZone="eu-west-1a")


def _machine(engine: _Engine, subnet: str, **more: Any) -> str:
    return engine.make("Instance", **{"ami": NEWER, "instanceType": "t3.medium", "subnetId": subnet, **more})


def test_an_input_that_nobody_asks_aws_for_is_refused(engine: _Engine) -> None:
    """A property that the stand-in does not translate would go unchecked without a word."""
    with pytest.raises(Refusal, match="asks AWS nothing for assignGeneratedIpv6CidrBlock"):
        engine.make("Vpc", cidrBlock="10.0.0.0/16", assignGeneratedIpv6CidrBlock=True)


def test_a_type_that_is_not_in_the_table_is_refused(engine: _Engine) -> None:
    """Else a new resource of the program would be proven by nothing."""
    with pytest.raises(Refusal, match="does not know the type aws:ec2/natGateway:NatGateway"):
        engine.create("aws:ec2/natGateway:NatGateway", {})


def test_a_parameter_that_aws_does_not_have_is_refused(engine: _Engine, subnet: str) -> None:
    """boto3 checks each parameter's name and type against AWS's own model."""
    with pytest.raises(Refusal, match="HttpTokenz"):
        _machine(engine, subnet, metadataOptions={"httpTokenz": "required"})


def test_an_unknown_value_is_refused_in_an_update_and_taken_in_a_preview(engine: _Engine) -> None:
    """An update that sends what nobody knows yet is a mistake of the program's."""
    inputs: dict[str, Any] = {"vpcId": UNKNOWN, "cidrBlock": "10.0.1.0/24"}
    assert engine.create(_TYPES["Subnet"], inputs, preview=True) == ("", inputs)
    with pytest.raises(Refusal, match="unknown in an update: vpcId"):
        engine.make("Subnet", **inputs)


@pytest.mark.parametrize("address", ["10.0.2.11", "10.0.1.3", "10.0.1.255"])
def test_an_address_that_is_not_the_subnets_is_refused(engine: _Engine, subnet: str, address: str) -> None:
    """AWS keeps a subnet's first four addresses and its last one; moto gives them away."""
    with pytest.raises(Refusal, match=f"Address {address}"):
        engine.make("Interface", subnetId=subnet, privateIps=[address])


def test_an_address_is_given_once(engine: _Engine, subnet: str) -> None:
    """So a new interface with the same address cannot be made before the old one is gone."""
    engine.make("Interface", subnetId=subnet, privateIps=["10.0.1.11"])
    with pytest.raises(Refusal, match=r"InvalidIPAddress\.InUse"):
        engine.make("Interface", subnetId=subnet, privateIps=["10.0.1.11"])


def test_an_interface_is_one_machines_until_that_is_gone(engine: _Engine, subnet: str) -> None:
    """So a machine on an interface of its own cannot be replaced by creating the new one first."""
    interface = engine.make("Interface", subnetId=subnet, privateIps=["10.0.1.11"])
    chosen: dict[str, Any] = {
        "ami": NEWER,
        "instanceType": "t3.medium",
        "primaryNetworkInterface": {"networkInterfaceId": interface},
    }
    machine = engine.make("Instance", **chosen)
    with pytest.raises(Refusal, match=r"InvalidNetworkInterface\.InUse"):
        engine.make("Instance", **chosen)
    with pytest.raises(Refusal, match=r"InvalidNetworkInterface\.InUse"):
        engine.end("Interface", interface)
    engine.end("Instance", machine)
    engine.make("Instance", **chosen)


def test_a_volume_is_one_machines_of_its_zone(engine: _Engine, subnet: str) -> None:
    """moto attaches it to any, and to several."""
    first, second = _machine(engine, subnet), _machine(engine, subnet)
    near = engine.make("Volume", availabilityZone="eu-west-1a", size=8, type="gp3", encrypted=True)
    far = engine.make("Volume", availabilityZone="eu-west-1b", size=8, type="gp3", encrypted=True)
    engine.make("Attachment", deviceName="/dev/xvdf", instanceId=first, volumeId=near)
    with pytest.raises(Refusal, match="VolumeInUse"):
        engine.make("Attachment", deviceName="/dev/xvdf", instanceId=second, volumeId=near)
    with pytest.raises(Refusal, match="not in the same availability zone"):
        engine.make("Attachment", deviceName="/dev/xvdf", instanceId=second, volumeId=far)


def test_a_group_that_is_named_by_another_is_not_deleted(engine: _Engine) -> None:
    """Rules first, then groups: the order of a destroy is proven by it."""
    vpc = engine.make("Vpc", cidrBlock="10.1.0.0/16")
    ours, theirs = (engine.make("Group", name=name, vpcId=vpc, description=name) for name in ("ours", "theirs"))
    named: dict[str, Any] = {
        "securityGroupId": ours,
        "referencedSecurityGroupId": theirs,
        "ipProtocol": "tcp",
        "fromPort": 1,
        "toPort": 1,
    }
    rule = engine.make("Rule", **named)
    with pytest.raises(Refusal, match="DependencyViolation"):
        engine.end("Group", theirs)
    engine.end("Rule", rule, **named)
    engine.end("Group", theirs)


def test_a_type_that_the_image_does_not_run_on_is_refused(engine: _Engine, subnet: str) -> None:
    """And so is one that does not exist."""
    with pytest.raises(Refusal, match="is for arm64"):
        _machine(engine, subnet, ami=ARM)
    with pytest.raises(Refusal, match="InvalidInstanceType"):
        _machine(engine, subnet, instanceType="t9.medium")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"ami": "ami-0000000000000dead"}, r"InvalidAMIID\.NotFound|list index"),
        ({"keyName": "nobodys"}, r"InvalidKeyPair\.NotFound"),
        ({"iamInstanceProfile": "nobodys"}, "nobodys not found"),
        ({"userDataBase64": base64.b64encode(b"x" * 16385).decode()}, "limited to 16384 bytes; this is 16385"),
    ],
)
def test_a_machine_of_what_is_not_there_is_refused(
    engine: _Engine, subnet: str, more: dict[str, Any], why: str
) -> None:
    """Image, key pair and role have to exist, and user data to fit."""
    with pytest.raises(Refusal, match=why):
        _machine(engine, subnet, **more)


def test_a_scheduled_action_that_aws_would_not_take_or_run_is_refused(engine: _Engine, subnet: str) -> None:
    """Two at one time, one of the past, and a size that the group cannot have."""
    template = {"id": engine.make("Template", name="t", imageId=NEWER, instanceType="t3.medium"), "version": "1"}
    sizes = {"minSize": 0, "maxSize": 2, "desiredCapacity": 0}
    group = engine.make("Scaling", name="g", launchTemplate=template, vpcZoneIdentifiers=[subnet], **sizes)

    def schedule(name: str, size: int, **when: str) -> None:
        given = {"scheduledActionName": name, "autoscalingGroupName": group, "minSize": -1, "maxSize": -1}
        engine.make("Schedule", **given, desiredCapacity=size, **when)

    schedule("mon-0320", 2, recurrence="20 3 * * 1", timeZone="UTC")
    schedule("once", 2, startTime="2990-12-24T03:20:00Z")
    with pytest.raises(Refusal, match="mon-0320 has the same start time"):
        schedule("again", 1, recurrence="20 3 * * 1", timeZone="UTC")
    with pytest.raises(Refusal, match="once has the same start time"):
        schedule("again", 1, startTime="2990-12-24T03:20:00Z")
    with pytest.raises(Refusal, match="start time is in the past"):
        schedule("over", 1, startTime="2020-12-24T03:20:00Z")
    with pytest.raises(Refusal, match="must be from 0 to 2"):
        schedule("large", 3, recurrence="20 4 * * 1", timeZone="UTC")


def test_a_change_replaces_what_the_table_says_and_nothing_else(engine: _Engine) -> None:
    """At any depth: ``encrypted`` of the root volume replaces an instance, its size does not."""
    root = {"encrypted": True, "volumeSize": 20}
    olds = {"ami": "ami-1", "instanceType": "t3.medium", "rootBlockDevice": root}
    grown = engine.diff(
        _TYPES["Instance"], olds, {**olds, "instanceType": "t3.large", "rootBlockDevice": {**root, "volumeSize": 30}}
    )
    assert sorted(grown.detailedDiff) == ["instanceType", "rootBlockDevice.volumeSize"]
    assert not grown.replaces
    opened = engine.diff(_TYPES["Instance"], olds, {**olds, "rootBlockDevice": {**root, "encrypted": False}})
    assert list(opened.replaces) == ["rootBlockDevice.encrypted"]


def test_a_name_that_was_given_is_free_before_the_replacement_takes_it(engine: _Engine) -> None:
    """As the real plugin does: delete first where both would have the same name, create first where it made it up."""
    olds, news = ({"name": "fleet", "vpcId": vpc} for vpc in ("vpc-1", "vpc-2"))
    assert engine.diff(_TYPES["Group"], olds, news).deleteBeforeReplace
    made_up = {"__defaults": ["name"]}
    assert not engine.diff(_TYPES["Group"], {**olds, **made_up}, {**news, **made_up}).deleteBeforeReplace


def test_user_data_replaces_a_machine_only_if_it_says_so(engine: _Engine) -> None:
    """Else it would be stopped and started, and would not read the new data: it has booted before."""
    olds, news = ({"userData": text, "userDataReplaceOnChange": True} for text in ("a", "b"))
    assert list(engine.diff(_TYPES["Instance"], olds, news).replaces) == ["userData"]
    flag = {"userDataReplaceOnChange": False}
    assert list(engine.diff(_TYPES["Instance"], {**olds, **flag}, {**news, **flag}).replaces) == []
