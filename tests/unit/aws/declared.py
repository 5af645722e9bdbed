"""Declares a cluster on AWS against an engine in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pulumi

from components.aws.client_facts import ClientFacts
from components.aws.coreos_cluster import CoreOSCluster, CoreOSClusterArgs
from components.aws.machine_programs import Program
from components.aws.settings import read
from components.aws.topology import Opening
from tests.fakes.fake_engine import FakeEngine
from tests.fakes.fake_machines import write_programs

__all__ = ["CLIENT", "CONFIG", "NEWEST", "PUBLIC_KEY", "ZONES", "aws_engine", "declare", "fake_programs"]

ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
PUBLIC_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIJ"
CLIENT = ClientFacts(keys=frozenset({PUBLIC_KEY}), address="198.51.100.7")
CONFIG = {"keyPair": "ann", "allowSshFrom": "198.51.100.0/24"}
NEWEST = "ami-0f1a7ca4000000001"
_COMPUTED = (
    "arn",
    "certPem",
    "privateKeyPem",
    "certRequestPem",
    "dnsName",
    "publicIp",
    "repositoryUrl",
    "bucket",
    "name",
)


def fake_programs(tools: Path) -> dict[str, Program]:
    """The stand-ins of `write_programs` in the folder *tools*, as if they were the pinned programs."""
    return {path.name: Program("1", hashlib.sha512(path.read_bytes()).hexdigest()) for path in sorted(tools.iterdir())}


def aws_engine(
    zones: Sequence[str] = ZONES, recorded: Mapping[str, Any] | None = None, *, published: bool = True
) -> FakeEngine:
    """An engine that knows what AWS answers, in a region with *zones*. Computed outputs name their resource.
    *recorded*: URN -> a resource, its ``type`` and ``outputs``, of the stack's state. *published*: older images are
    still there, but deprecated: AWS lists them only where that is asked for."""
    return FakeEngine(
        {
            "pulumi:pulumi:readStackResourceOutputs": {"outputs": dict(recorded or {})},
            "aws:index/getRegion:getRegion": {"region": "eu-west-1"},
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
            "aws:index/getPartition:getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com"},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {"id": "eu-west-1", "names": list(zones)},
            "aws:ec2/getAmi:getAmi": {"id": NEWEST, "creationDate": "2026-01-01T00:00:00.000Z"},
            "aws:ec2/getAmiIds:getAmiIds": lambda args: {
                "ids": [args["filters"][0]["values"][0]] * (published and args.get("includeDeprecated") is True)
            },
            "aws:ec2/getKeyPair:getKeyPair": {"publicKey": f"ssh-ed25519 {PUBLIC_KEY} ann"},
            "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": {"locations": list(zones)},
            "aws:ec2/getInstanceType:getInstanceType": {"defaultVcpus": 2},
            "aws:ec2/getInstances:getInstances": {"ids": []},
            "aws:ec2/getEips:getEips": {"allocationIds": []},
            "aws:servicequotas/getServiceQuota:getServiceQuota": {"value": 64},
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "token"},
        },
        lambda _kind, name: {**{key: f"{name}.{key}" for key in _COMPUTED}, "latestVersion": 7},
    )


def declare(
    config: Mapping[str, str] | None = None,
    *,
    zones: Sequence[str] = ZONES,
    recorded: Mapping[str, Any] | None = None,
    published: bool = True,
    engine: FakeEngine | None = None,
    **more: Any,
) -> FakeEngine:
    """The cluster with the settings *config* added to `CONFIG`. *zones*, *recorded*, *published*: see `aws_engine`,
    unless *engine* is given. *more*: further arguments of `CoreOSClusterArgs`.

    The outputs are what the cluster offers.
    """
    with TemporaryDirectory() as folder:
        tools = write_programs(Path(folder))
        args = {
            "repositories": ["acme/shop"],
            "openings": [Opening("tcp", 8080, 8080)],
            "public": [80],
            "tools": tools,
            "programs": fake_programs(tools),
            "ask_client": lambda _settings: CLIENT,
            **more,
        }

        def program() -> None:
            settings = read({**CONFIG, **(config or {})}.get)
            cluster = CoreOSCluster("cluster", CoreOSClusterArgs(settings, "shop", **args))
            pulumi.export("connection", cluster.connection)
            pulumi.export("registry", cluster.registry)
            pulumi.export("machines", cluster.machines)
            pulumi.export("balancer", cluster.balancer)
            pulumi.export("targets", dict(cluster.targets))
            pulumi.export("login", cluster.login)

        return (engine or aws_engine(zones, recorded, published=published)).run(program)
