"""What a cluster asks of AWS, resource by resource, against a pretended engine."""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import Any

import pytest

from components.aws.image_registry import KEPT_IMAGES, prefix_of
from components.aws.machine_image import FLATCAR
from components.aws.settings import read
from components.aws.ssh_connection import connection
from fleetcaptain.errors import ClusterRefused
from tests.fakes.fake_engine import FakeEngine
from tests.unit.aws.declared import ZONES, declare

# What says whose a thing is, of those that have tags at all.
TAGGED = {
    "Vpc",
    "InternetGateway",
    "RouteTable",
    "Subnet",
    "SecurityGroup",
    "SecurityGroupIngressRule",
    "SecurityGroupEgressRule",
    "NetworkInterface",
    "Eip",
    "Volume",
    "Instance",
    "LaunchTemplate",
    "Role",
    "InstanceProfile",
    "Bucket",
    "Repository",
    "LoadBalancer",
    "TargetGroup",
    "Listener",
}


@pytest.fixture(scope="module")
def cluster() -> FakeEngine:
    """Five machines, of which two are workers, with a public service."""
    return declare({"size": "5"})


def test_all_that_can_have_tags_says_whose_it_is(cluster: FakeEngine) -> None:
    """So that what a stack has, and costs, can be found."""
    found = {kind for kind, _ in cluster.resources}
    assert found >= TAGGED
    for (kind, name), inputs in cluster.resources.items():
        if kind in TAGGED:
            assert inputs["tags"]["fleetcaptain:stack"] == "fleetcaptain/prod", (kind, name)
            assert inputs["tags"]["Name"].startswith("fleetcaptain-prod"), (kind, name)
    for machine in cluster.of("Instance").values():
        assert machine["rootBlockDevice"]["tags"] == machine["tags"]
    tags = {tag["key"]: tag for tag in cluster.one("Group", "cluster-workers")["tags"]}
    assert tags["fleetcaptain:stack"]["propagateAtLaunch"] is True


@pytest.mark.parametrize(("size", "members"), [(3, 3), (6, 3), (7, 5), (12, 5)])
def test_there_are_as_many_machines_as_asked_for(size: int, members: int) -> None:
    """Members are instances, the others the group's; without others there is no group."""
    declared = declare({"size": str(size)})
    assert len(declared.of("Instance")) == members
    groups = list(declared.of("Group").values())
    assert sum(int(group["desiredCapacity"]) for group in groups) == size - members
    assert len(groups) == (1 if size > members else 0)
    assert all(group["minSize"] == group["maxSize"] == group["desiredCapacity"] for group in groups)


def test_members_are_in_three_zones(cluster: FakeEngine) -> None:
    """Each on an interface with an address that was chosen before, and a volume in the same zone."""
    zones = {inputs["availabilityZone"] for inputs in cluster.of("Subnet").values()}
    assert zones == set(ZONES)
    for number, zone in enumerate(ZONES):
        name = f"cluster-m{number + 1}"
        interface = cluster.one("NetworkInterface", name)
        assert interface["privateIps"] == [f"10.71.{number}.11"]
        assert interface["subnetId"] == f"Subnet/cluster-s{number + 1}"
        assert cluster.one("Volume", f"{name}-etcd")["availabilityZone"] == zone
        machine = cluster.one("Instance", name)
        assert machine["primaryNetworkInterface"] == {"networkInterfaceId": f"NetworkInterface/{name}"}


def test_the_addresses_of_members_are_kept_free(cluster: FakeEngine) -> None:
    """Before anything else can take one: a worker, or the balancer, which draw from the same subnets."""
    for number in (1, 2, 3):
        reserved = cluster.one("SubnetCidrReservation", f"cluster-s{number}")
        assert reserved["reservationType"] == "explicit"
        assert reserved["cidrBlock"] == f"10.71.{number - 1}.8/29"
        for kind, name in (("Group", "cluster-workers"), ("LoadBalancer", "cluster-proxies")):
            assert ("SubnetCidrReservation", f"cluster-s{number}") in cluster.dependencies(kind, name)


def test_two_zones_are_needed() -> None:
    """One that fails would take all members with it; nothing is declared then but the cluster itself."""
    with pytest.raises(ClusterRefused, match="has 1 zone"):
        declare(zones=ZONES[:1])
    with pytest.raises(ClusterRefused, match="has no zone us-east-1a"):
        declare({"zones": "eu-west-1a,us-east-1a"})


def open_to_the_world(declared: FakeEngine) -> dict[str, Any]:
    """The rules by which anybody comes in."""
    rules = declared.of("SecurityGroupIngressRule")
    return {name: rule for name, rule in rules.items() if rule.get("cidrIpv4", "").endswith("/0") or "cidrIpv6" in rule}


def test_nothing_is_open_to_the_world_but_what_is_public(cluster: FakeEngine) -> None:
    """And that is the balancer's listener, not a machine."""
    (rule,) = open_to_the_world(cluster).values()
    assert (rule["fromPort"], rule["toPort"]) == (80, 80)
    assert rule["securityGroupId"] == "SecurityGroup/cluster-public"
    assert open_to_the_world(declare(public=[])) == {}


def test_no_group_has_rules_of_its_own(cluster: FakeEngine) -> None:
    """Each is a resource, so that the tests here see all of them."""
    for group in cluster.of("SecurityGroup").values():
        assert not group.get("ingress")
        assert not group.get("egress")


def entrances(declared: FakeEngine) -> set[tuple[str, int, int, str]]:
    """Group, first and last port, and who may come in, of every rule."""
    return {
        (
            rule["securityGroupId"].rpartition("/cluster-")[2],
            int(rule["fromPort"]),
            int(rule["toPort"]),
            rule.get("cidrIpv4") or rule["referencedSecurityGroupId"].rpartition("/cluster-")[2],
        )
        for rule in declared.of("SecurityGroupIngressRule").values()
    }


def test_these_are_all_entrances(cluster: FakeEngine) -> None:
    """ssh from where it is allowed; etcd, with certificates, and the app's own ports from machine to machine. Neither
    fleet nor etcd's plain port is among them."""
    assert entrances(cluster) == {
        ("machines", 22, 22, "198.51.100.0/24"),
        ("machines", 22, 22, "machines"),
        ("members", 2378, 2378, "machines"),
        ("members", 2380, 2380, "members"),
        ("machines", 8080, 8080, "machines"),
        ("machines", 80, 80, "public"),
        ("machines", 2377, 2377, "public"),
        ("public", 80, 80, "0.0.0.0/0"),
    }


def test_the_wait_for_the_cluster_begins_when_ssh_is_open(cluster: FakeEngine) -> None:
    """An update that opens it waits until it is; beside it, the first try could come too early."""
    rules = {("SecurityGroupIngressRule", name) for name in ("cluster-ssh-198.51.100.0-24", "cluster-ssh-within")}
    assert rules <= cluster.dependencies("ClusterReady", "cluster")
    assert cluster.one("ClusterReady", "cluster")["allow_ssh_from"] == ["198.51.100.0/24"]


def test_without_an_address_to_come_from_ssh_goes_through_systems_manager() -> None:
    """No port is open then; the role lets sessions in, and the way in names instances."""
    declared = declare({"allowSshFrom": ""})
    assert {entrance for entrance in entrances(declared) if entrance[1] == 22} == {("machines", 22, 22, "machines")}
    assert sessions(declared) == {
        "cluster-members": {
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        }
    }, "AWS's own policy can read the account's parameters, and workers are reached through a member"
    connection = declared.outputs["connection"]
    assert connection["ssh"] == [f"core@Instance/cluster-m{number}" for number in (1, 2, 3)]
    assert connection["proxy"].startswith("aws ssm start-session --region eu-west-1 --target %h ")


def test_a_session_is_opened_in_the_account_of_the_provider() -> None:
    """By its profile, as one word of the shell that starts it, without tokens of ssh."""
    proxies = {
        profile: str(connection(read({"keyPair": "ann"}.get), "p/prod", "eu-west-1", {}, profile)["proxy"])
        for profile in ("prod", "50% of us; true")
    }
    assert proxies["prod"].startswith("aws ssm start-session --profile prod --region eu-west-1 ")
    assert shlex.split(proxies["50% of us; true"])[4] == "50%% of us; true"


def test_with_one_systems_manager_has_no_rights(cluster: FakeEngine) -> None:
    """Least privilege: what is not used is not given."""
    assert sessions(cluster) == {}


def sessions(declared: FakeEngine) -> dict[str, set[str]]:
    """The rights for Systems Manager of each role that has some."""
    assert declared.of("RolePolicyAttachment") == {}
    found = {
        name: {
            action
            for entry in json.loads(inputs["policy"])["Statement"]
            for action in _list(entry["Action"])
            if action.startswith(("ssm", "ec2messages"))
        }
        for name, inputs in declared.of("RolePolicy").items()
    }
    return {name: actions for name, actions in found.items() if actions}


def machines(declared: FakeEngine) -> list[dict[str, Any]]:
    """Members, and the workers' template."""
    return [*declared.of("Instance").values(), *declared.of("LaunchTemplate").values()]


def test_the_metadata_service_wants_a_token_and_answers_no_container(cluster: FakeEngine) -> None:
    """Version 2, one hop."""
    for machine in machines(cluster):
        assert machine["metadataOptions"]["httpTokens"] == "required"
        assert machine["metadataOptions"]["httpPutResponseHopLimit"] == 1


def test_every_disk_is_encrypted_and_of_the_newer_kind(cluster: FakeEngine) -> None:
    """gp3, on members, workers, and for etcd."""
    disks = [machine["rootBlockDevice"] for machine in cluster.of("Instance").values()]
    template = cluster.one("LaunchTemplate", "cluster-worker")
    disks += [mapping["ebs"] for mapping in template["blockDeviceMappings"]]
    disks += [{**volume, "volumeType": volume["type"]} for volume in cluster.of("Volume").values()]
    assert len(disks) == 3 + 1 + 3
    assert {str(disk["encrypted"]).lower() for disk in disks} == {"true"}
    assert {disk["volumeType"] for disk in disks} == {"gp3"}


def test_a_role_may_read_its_own_keys_and_pull_images(cluster: FakeEngine) -> None:
    """Nothing else; members' keys are not for workers."""
    for kind, other in (("members", "workers"), ("workers", "members")):
        text = cluster.one("RolePolicy", f"cluster-{kind}")["policy"]
        statements = json.loads(text)["Statement"]
        actions = {action for entry in statements for action in _list(entry["Action"])}
        assert actions - {"autoscaling:CompleteLifecycleAction"} == {
            "s3:GetObject",
            "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
        }
        assert [entry["Action"] for entry in statements if entry["Resource"] == "*"] == ["ecr:GetAuthorizationToken"]
        assert f"tls/{kind}/*" in text
        assert f"tls/{other}" not in text


def test_a_worker_may_say_that_it_is_drained(cluster: FakeEngine) -> None:
    """To the groups of its own stack, by their tag; members have no group."""
    rights = {
        kind: [
            entry
            for entry in json.loads(cluster.one("RolePolicy", f"cluster-{kind}")["policy"])["Statement"]
            if entry["Action"] == "autoscaling:CompleteLifecycleAction"
        ]
        for kind in ("members", "workers")
    }
    assert rights["members"] == []
    (right,) = rights["workers"]
    assert right["Resource"] == "arn:aws:autoscaling:*:*:autoScalingGroup:*"
    tags = {tag["key"]: tag["value"] for tag in cluster.one("Group", "cluster-workers")["tags"]}
    ((key, value),) = right["Condition"]["StringEquals"].items()
    assert tags[key.removeprefix("aws:ResourceTag/")] == value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_keys_are_secrets_where_only_their_role_finds_them(cluster: FakeEngine) -> None:
    """In the state too; and user data has none."""
    keys = {name: inputs for name, inputs in cluster.of("BucketObjectv2").items() if name.endswith("key.pem")}
    assert {inputs["key"] for inputs in keys.values()} == {
        *(f"tls/members/m{number}/key.pem" for number in (1, 2, 3)),
        "tls/workers/key.pem",
        "tls/users/root-key.pem",
        "tls/users/fleet-key.pem",
        "tls/users/secrets-key.pem",
    }
    for name, inputs in keys.items():
        assert isinstance(inputs["content"], dict), "it is marked as a secret"
        part = name.removesuffix("-key.pem").replace("cluster-users-", "cluster-user-")
        assert inputs["content"]["value"] == f"{part}.privateKeyPem"
    user_data = [machine["userData"] for machine in cluster.of("Instance").values()]
    user_data.append(base64.b64decode(cluster.one("LaunchTemplate", "cluster-worker")["userData"]).decode())
    assert not [text for text in user_data if "privateKeyPem" in text]


def test_members_have_certificates_for_their_addresses(cluster: FakeEngine) -> None:
    """Servers and clients; workers ask only."""
    assert cluster.one("CertRequest", "cluster-m2")["ipAddresses"] == ["10.71.1.11", "127.0.0.1"]
    assert set(cluster.one("LocallySignedCert", "cluster-m2")["allowedUses"]) >= {"server_auth", "client_auth"}
    assert "server_auth" not in cluster.one("LocallySignedCert", "cluster-workers")["allowedUses"]
    public = declare({"advertisedIpAddress": "public"})
    assert "cluster-m2.publicIp" in public.one("CertRequest", "cluster-m2")["ipAddresses"]


def test_the_bucket_belongs_to_the_account_alone(cluster: FakeEngine) -> None:
    """Closed to the public, encrypted, and only through TLS."""
    closed = cluster.one("BucketPublicAccessBlock", "cluster-boot")
    assert [closed[key] for key in sorted(closed) if key != "bucket"] == [True] * 4
    (rule,) = cluster.one("BucketServerSideEncryptionConfiguration", "cluster-boot")["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "AES256"
    (denied,) = json.loads(cluster.one("BucketPolicy", "cluster-boot")["policy"])["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_image_is_flatcars_own(cluster: FakeEngine) -> None:
    """By its owner's number, for amd64; one that is named is not looked for."""
    (asked,) = [args for token, args in cluster.calls if token.endswith(":getAmi")]
    assert (asked["owners"], asked["mostRecent"]) == ([FLATCAR], True)
    filters = {entry["name"]: entry["values"] for entry in asked["filters"]}
    assert filters == {
        "name": ["Flatcar-stable-*"],
        "architecture": ["x86_64"],
        "virtualization-type": ["hvm"],
    }
    named = declare({"size": "4", "amiId": "ami-0f1a7ca4000000002"})
    assert not [token for token, _ in named.calls if token.endswith(":getAmi")]
    assert {machine.get("ami") or machine["imageId"] for machine in machines(named)} == {"ami-0f1a7ca4000000002"}


def test_type_and_key_are_every_machines() -> None:
    """Two of the old parameters."""
    found = machines(declare({"size": "4", "instanceType": "m6i.large", "keyPair": "ann"}))
    assert {(machine["instanceType"], machine["keyName"]) for machine in found} == {("m6i.large", "ann")}


def test_a_member_changes_only_when_it_is_named() -> None:
    """A new image or definition replaces none by surprise; the one that is renewed takes all at once."""
    kept = {"ami", "userData", "instanceType", "keyName"}
    declared = declare({"renewMember": ""})
    assert {frozenset(declared.requests["Instance", f"cluster-m{number}"].ignoreChanges) for number in (1, 2, 3)} == {
        frozenset(kept)
    }
    asked = declared.requests["Instance", "cluster-m1"]
    assert asked.deleteBeforeReplace, "its interface is free only then"


def test_etcds_volumes_are_copied_every_day(cluster: FakeEngine) -> None:
    """All of them and no root disk, by a tag; the role may do that only when the policy is there."""
    policy = cluster.one("LifecyclePolicy", "cluster-snapshots")
    ((key, value),) = policy["policyDetails"]["targetTags"].items()
    tagged = {
        (kind, name)
        for (kind, name), inputs in cluster.resources.items()
        if isinstance(inputs.get("tags"), dict) and inputs["tags"].get(key) == value
    }
    assert tagged == {("Volume", f"cluster-m{number}-etcd") for number in (1, 2, 3)}
    (schedule,) = policy["policyDetails"]["schedules"]
    assert (schedule["createRule"]["interval"], schedule["createRule"]["intervalUnit"]) == (24, "HOURS")
    assert schedule["retainRule"] == {"count": 7}
    assert policy["executionRoleArn"] == "cluster-snapshots.arn"
    off = declare({"snapshots": "false"})
    assert ("LifecyclePolicy", "cluster-snapshots") not in off.resources
    assert "cluster-snapshots" not in off.of("Role")


@pytest.mark.parametrize("protect", ["true", "false"])
def test_etcds_data_is_protected(protect: str) -> None:
    """Until somebody says otherwise; the volume is none of the instance's own, so it stays when that goes."""
    declared = declare({"protectData": protect})
    assert declared.requests["Volume", "cluster-m1-etcd"].protect == (protect == "true")
    attached = declared.one("VolumeAttachment", "cluster-m1")
    assert attached["volumeId"] == "Volume/cluster-m1-etcd"
    assert attached["stopInstanceBeforeDetaching"] is True


def test_workers_come_and_go_in_order(cluster: FakeEngine) -> None:
    """New ones first; one that goes has time for its units to end; a failed launch leaves the group in the state."""
    group = cluster.one("Group", "cluster-workers")
    assert group["waitForCapacityTimeout"] == "0"
    assert group["suspendedProcesses"] == ["AZRebalance"], "it would end working machines"
    assert group["instanceRefresh"]["preferences"]["minHealthyPercentage"] == 100
    # The group has the new definition when the refresh begins, so AWS would go back to that.
    assert "autoRollback" not in group["instanceRefresh"]["preferences"]
    replaced = cluster.one("ClusterReady", "cluster")["workers"]
    assert (replaced["group"], replaced["version"]) == ("cluster-workers.name", "7")
    assert replaced["timeout_sec"] >= 2 * (900 + 180 + 180)
    assert group["launchTemplate"] == {"id": "LaunchTemplate/cluster-worker", "version": "7"}
    hook = cluster.one("LifecycleHook", "cluster-drain")
    assert hook["lifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert hook["defaultResult"] == "CONTINUE"
    assert hook["heartbeatTimeout"] >= 120


def test_spot_is_for_workers_only() -> None:
    """Losing two members of three at a time would be the cluster's end."""
    declared = declare({"size": "4", "spot": "true"})
    assert declared.one("LaunchTemplate", "cluster-worker")["instanceMarketOptions"] == {"marketType": "spot"}
    assert declared.one("Group", "cluster-workers")["capacityRebalance"] is True
    assert not [machine for machine in declared.of("Instance").values() if "instanceMarketOptions" in machine]


def test_images_are_scanned_and_outlive_the_releases_that_need_them(cluster: FakeEngine) -> None:
    """Ten are kept, with one image each at most; the rule counts, and never asks for the age."""
    repository = cluster.one("Repository", "cluster-acme-shop")
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    (rule,) = json.loads(cluster.one("LifecyclePolicy", "cluster-acme-shop")["policy"])["rules"]
    assert rule["selection"]["countType"] == "imageCountMoreThan"
    assert rule["selection"]["countNumber"] == KEPT_IMAGES >= 12
    assert cluster.outputs["registry"] == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/fleetcaptain/prod"
    assert cluster.outputs["login"] == ("AWS", "token")


def test_each_stack_has_repositories_of_its_own(cluster: FakeEngine) -> None:
    """So a second stack of the app can be in the account; one of an earlier version keeps its names."""
    assert cluster.one("Repository", "cluster-acme-shop")["name"] == "fleetcaptain/prod/acme/shop"
    urn = "urn:pulumi:prod::fleetcaptain::aws:ecr/repository:Repository::cluster-acme-shop"
    earlier = {urn: {"type": "aws:ecr/repository:Repository", "outputs": {"name": "acme/shop"}}}
    kept = declare(recorded=earlier)
    assert kept.one("Repository", "cluster-acme-shop")["name"] == "acme/shop"
    assert kept.outputs["registry"] == "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def test_a_stack_s_name_becomes_one_that_ecr_permits() -> None:
    """No two stacks become the same: `a-b/c` and `a/b-c` do not, nor do `Prod` and `prod`."""
    names = ["shop/prod", "shop/Prod", "shop/PROD", "shop-prod/x", "shop/prod-x", "shop/_", "Shop/prod", "shop/a.b_c"]
    prefixes = [prefix_of(name, []) for name in names]
    assert len(set(prefixes)) == len(names)
    assert prefixes[0] == "shop/prod/"
    rule = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")
    assert [prefix for prefix in prefixes if not rule.fullmatch(f"{prefix}web")] == []


def test_the_balancer_leads_to_every_machine_with_a_proxy(cluster: FakeEngine) -> None:
    """Which has the same port there."""
    targets = cluster.one("TargetGroup", "cluster-proxies-80")
    assert (targets["port"], targets["protocol"], targets["targetType"]) == (80, "TCP", "instance")
    check = targets["healthCheck"]
    assert (check["protocol"], check["path"], check["port"]) == ("HTTP", "/shop-proxy", "2377")
    # AWS wants an answer before it asks again.
    assert check["timeout"] < check["interval"]
    (state,) = targets["targetHealthStates"]
    assert state["enableUnhealthyConnectionTermination"] is False
    listener = cluster.one("Listener", "cluster-proxies-80")
    assert (listener["port"], listener["protocol"]) == (80, "TCP")
    attached = {inputs["targetId"] for inputs in cluster.of("TargetGroupAttachment").values()}
    assert attached == {f"Instance/cluster-m{number}" for number in (1, 2, 3)}
    assert cluster.one("Attachment", "cluster-proxies-80-workers")["autoscalingGroupName"] == "cluster-workers.name"
    assert cluster.outputs["balancer"] == "cluster-proxies.dnsName"


def test_each_public_port_has_a_listener_of_its_own() -> None:
    """However many services share it."""
    declared = declare(public=[80, 443])
    assert set(declared.of("Listener")) == {"cluster-proxies-80", "cluster-proxies-443"}
    assert {group["port"] for group in declared.of("TargetGroup").values()} == {80, 443}


def test_the_gate_knows_the_targets_of_public_ports(cluster: FakeEngine) -> None:
    """It waits until they are healthy."""
    assert cluster.outputs["targets"] == {"80": "cluster-proxies-80.arn"}


def test_no_balancer_is_paid_for_when_nothing_is_public() -> None:
    """Nor is its group there."""
    declared = declare(public=[])
    assert declared.of("LoadBalancer") == {}
    assert set(declared.of("SecurityGroup")) == {"cluster-machines", "cluster-members"}
    assert declared.outputs["balancer"] is None


def test_the_way_in_is_the_same_for_everybody(cluster: FakeEngine) -> None:
    """ssh to the members, with host keys in a file of the stack; nobody's own paths are in it."""
    assert cluster.outputs["connection"] == {
        "kind": "aws",
        "stack": "fleetcaptain/prod",
        "ssh": [f"core@cluster-m{number}.publicIp" for number in (1, 2, 3)],
        "key": "",
        "known_hosts": ".fleetcaptain/prod/known_hosts",
        "inside": True,
        "size": 5,
        "region": "eu-west-1",
    }
    assert cluster.outputs["machines"] == {"m1": "10.71.0.11", "m2": "10.71.1.11", "m3": "10.71.2.11"}


def test_readiness_waits_for_every_machine(cluster: FakeEngine) -> None:
    """Members by their names, workers by number."""
    ready = cluster.one("ClusterReady", "cluster")
    assert ready["size"] == 5
    assert set(ready["members"]) == {"m1", "m2", "m3"}
    assert ready["instances"]["m1"] == "Instance/cluster-m1"
