"""The first ``pulumi up``: one update makes the network, the machines, the image and the app, in the right order."""

from __future__ import annotations

import re

import pytest

from tests.fakes.plugins import aws, docker_build, fake_tls
from tests.local.aws.scenario import ADDRESSES, Story

_READY = "ClusterReady cluster"


def test_one_update_makes_it_all(story: Story) -> None:
    """The stand-in refuses unknown values, and inputs that it does not hand on to AWS: there was none."""
    assert story.made.code == 0, story.made.output
    assert story.made.errors == story.made.warnings == ()


def test_every_type_of_the_stand_ins_is_one_of_the_programs(story: Story) -> None:
    """What is in no table is refused; what nobody uses any more has to go from them."""
    tables = {*aws.PLUGIN.kinds, *fake_tls.PLUGIN.kinds, *docker_build.PLUGIN.kinds}
    assert tables == {step.token for step in story.made.steps if step.token in tables}


@pytest.mark.parametrize("member", ADDRESSES)
def test_a_member_finds_everything_at_its_first_boot(story: Story, member: str) -> None:
    """Programs, keys, its role's rights, its address and a way to the world: all are there before it."""
    machine = f"Instance cluster-{member}"
    objects = ["etcd", "fleetd", "fleetctl", *(f"{member}-{file}.pem" for file in ("ca", "cert", "key"))]
    before = [f"BucketObjectv2 cluster-{name}" for name in objects]
    before += ["RolePolicy cluster-members", "Route cluster-world"]
    before += [f"RouteTableAssociation cluster-s{number}" for number in (1, 2, 3)]
    before += [f"Eip cluster-{member}", f"Volume cluster-{member}-etcd", f"NetworkInterface cluster-{member}"]
    for what in before:
        assert story.made.in_order(what, machine), what


def test_workers_find_everything_too(story: Story) -> None:
    """Their group starts machines as soon as it is there."""
    objects = ["etcd", "fleetd", "workers-ca.pem", "workers-cert.pem", "workers-key.pem"]
    for what in [*(f"BucketObjectv2 cluster-{name}" for name in objects), "RolePolicy cluster-workers"]:
        assert story.made.in_order(what, "Group cluster-workers"), what


def test_a_bucket_is_closed_before_anything_is_in_it(story: Story) -> None:
    """Keys are never where the public could read them, not even for a moment."""
    for setting in ("PublicAccessBlock", "ServerSideEncryptionConfiguration", "Policy"):
        assert story.made.in_order(f"Bucket{setting} cluster-boot", "BucketObjectv2 cluster-m1-key.pem"), setting


def test_the_app_comes_when_every_machine_is_in_fleet(story: Story) -> None:
    """Units wait for the cluster and, if it is built, for their image; the gate waits for the units."""
    machines = [f"Instance cluster-{member}" for member in ADDRESSES] + ["Group cluster-workers"]
    for machine in machines:
        assert story.made.in_order(machine, _READY), machine
    for service in ("web", "api", "redis"):
        assert story.made.in_order(_READY, f"Unit {service}", "Readiness shop-ready"), service
    assert story.made.in_order("Repository cluster-ann-shop", "Image shop", "Unit web")


def test_the_outputs_lead_to_the_app(story: Story) -> None:
    """A public service has the balancer's address, another one those of its machines."""
    (public,) = story.outputs["endpoints"]["api"]
    assert re.fullmatch(r"http://cluster-proxies-\w+-\w+\.network\.eu-west-1\.amazonaws\.com:80", public)
    hosts = {url.partition("://")[2].rpartition(":")[0] for url in story.outputs["endpoints"]["web"]}
    assert len(hosts) == 3
    assert story.outputs["machines"] == ADDRESSES


def test_an_update_without_a_change_changes_nothing(story: Story) -> None:
    """Nothing in the program differs from run to run: no time, no order, no made-up name. Nor does it take machines
    back that a scheduled action has launched."""
    assert story.again.code == 0, story.again.output
    assert story.again.did() == []


def test_no_private_key_is_readable_in_the_state(story: Story) -> None:
    """They are secrets there, which only the stack's passphrase opens."""
    assert "tls:index/privateKey:PrivateKey" in story.state
    assert "PRIVATE KEY" not in story.state
