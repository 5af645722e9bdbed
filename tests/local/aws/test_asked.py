"""What AWS was asked for, as moto took it: each call passed boto3's check of its parameters and moto's of their sense.

What moto cannot check, so that it is taken on trust (docs/aws.md, "What is proven, and how"): instance refresh, which
it does not have; that lifecycle hooks, health checks and the spot market do anything; that security groups let pass
what they say; that a role's policy is enough, for it enforces none, and conditions in a bucket's policy, which it takes
for met; quotas, prices, instance types that a zone lacks; that anything takes time. Where it lets pass what EC2
refuses, `tests.fakes.plugins.aws.refused` refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.local.aws.cloud import NEWER
from tests.local.aws.scenario import ADDRESSES, Story

_MACHINES = 4


def _tags(thing: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", ())}


def test_members_are_in_three_zones_on_addresses_that_were_chosen(story: Story) -> None:
    """So that etcd's members know each other before one of them runs."""
    places = {one["PrivateIpAddress"]: one["AvailabilityZone"] for one in story.account.interfaces}
    assert set(places) == set(ADDRESSES.values())
    assert len(set(places.values())) == 3


def test_each_member_has_its_volume(story: Story) -> None:
    """In its own zone, of type gp3; and every disk of every machine is encrypted."""
    names = {_tags(one).get("Name"): one["InstanceId"] for one in story.account.instances}
    for member in ADDRESSES:
        (volume,) = (
            one for one in story.account.volumes if _tags(one).get("Name") == f"fleetcaptain-prod-{member}-etcd"
        )
        assert volume["VolumeType"] == "gp3"
        assert volume["Encrypted"]
        (attached,) = volume["Attachments"]
        assert attached["InstanceId"] == names[f"fleetcaptain-prod-{member}"]
    for template in story.account.templates:
        assert all(one["Ebs"]["Encrypted"] for one in template["BlockDeviceMappings"])


def test_the_newest_flatcar_for_amd64_is_what_machines_run(story: Story) -> None:
    """Not an older one, and not that for arm64, which came out on the same day."""
    assert {one["ImageId"] for one in story.account.instances} == {NEWER}


def test_machines_are_as_many_as_were_asked_for(story: Story) -> None:
    """Members, and workers in their group; each carries the stack's tag, by which its costs are found."""
    assert len(story.account.instances) == _MACHINES
    assert all(_tags(one)["fleetcaptain:stack"] == "fleetcaptain/prod" for one in story.account.instances)
    (group,) = (one for one in story.account.scaling if one["AutoScalingGroupName"].startswith("cluster-workers"))
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (1, 1, 1)


def test_only_the_balancers_port_is_open_to_the_world(story: Story) -> None:
    """As long as nobody says where he comes from, ssh is open for no address at all."""
    world = [
        (group["GroupName"].rpartition("-")[0], rule["FromPort"], rule["ToPort"])
        for group in story.account.groups
        for rule in group["IpPermissions"]
        if rule["IpRanges"] or rule["Ipv6Ranges"]
    ]
    assert world == [("cluster-public", 80, 80)]


def test_etcd_is_open_for_machines_of_the_cluster_only(story: Story) -> None:
    """Its peers' port for members, its clients' port, with certificates, for machines; its plain port for no machine.
    The balancer asks the machine agents at 2377."""
    ids = {group["GroupId"]: group["GroupName"].rpartition("-")[0] for group in story.account.groups}
    opened = {
        (rule["FromPort"], ids[group["GroupId"]], ids[pair["GroupId"]])
        for group in story.account.groups
        for rule in group["IpPermissions"]
        for pair in rule["UserIdGroupPairs"]
    }
    assert {one for one in opened if 2370 < one[0] < 2390} == {
        (2377, "cluster-machines", "cluster-public"),
        (2378, "cluster-members", "cluster-machines"),
        (2380, "cluster-members", "cluster-members"),
    }


def test_containers_do_not_get_at_their_machines_role(story: Story) -> None:
    """The metadata service answers version 2 only, and not beyond the machine. moto keeps it of no instance."""
    wanted = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    for template in story.account.templates:
        assert wanted.items() <= template["MetadataOptions"].items()
    for member in ADDRESSES:
        options = story.made.step(f"Instance cluster-{member}").inputs["metadataOptions"]
        assert {"httpTokens": "required", "httpPutResponseHopLimit": 1}.items() <= options.items()


def test_every_machine_is_behind_the_balancer(story: Story) -> None:
    """Members one by one, workers by their group; the balancer itself finds out where the proxy runs."""
    (targets,) = story.account.targets.values()
    assert targets == tuple(sorted(one["InstanceId"] for one in story.account.instances))
    (balancer,) = story.account.balancers
    assert (balancer["Type"], len(balancer["AvailabilityZones"])) == ("network", 3)
    (listener,) = story.account.listeners
    assert (listener["Protocol"], listener["Port"]) == ("TCP", 80)


def test_images_are_scanned_and_the_bucket_is_closed(story: Story) -> None:
    """The registry scans what is pushed, the app's image and its proxy's; the bucket is encrypted, and public in no
    way."""
    scanned = {
        one["repositoryName"]: one["imageScanningConfiguration"]["scanOnPush"] for one in story.account.repositories
    }
    assert scanned == dict.fromkeys((f"fleetcaptain/prod/{name}" for name in ("ann/shop", "shop/shop-proxy")), True)
    assert list(story.account.closed.values()) == [True]


def test_a_worker_has_time_to_go(story: Story) -> None:
    """The hook holds its end back, and lets it end even when nobody answers."""
    hooks = [hook for hook in story.account.hooks if hook["LifecycleTransition"].endswith("_TERMINATING")]
    assert len(hooks) == len(story.account.scaling) == 3
    for hook in hooks:
        assert hook["DefaultResult"] == "CONTINUE"
