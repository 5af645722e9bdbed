"""Declares a cluster against a pretended engine, and gives what was declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pulumi
from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.mocks import MockMonitor

from components.cluster.aws.cluster import CoreOSCluster, CoreOSClusterArgs
from components.cluster.aws.ports import Opening, Public
from components.cluster.aws.settings import read

__all__ = ["CONFIG", "WEB", "ZONES", "Declared", "declare"]

ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
CONFIG = {"keyPair": "ann", "allowSshFrom": "198.51.100.0/24"}
WEB = Public("web", "http", 80, 8080, 8080, "/health")
_ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "aws:index/getRegion:getRegion": {"region": "eu-west-1"},
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
    "aws:index/getPartition:getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com"},
    "aws:ec2/getAmi:getAmi": {"id": "ami-0f1a7ca4000000001"},
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "token"},
}
_MADE = ("arn", "certPem", "privateKeyPem", "certRequestPem", "dnsName", "publicIp", "repositoryUrl", "bucket", "name")


@dataclass
class Declared(Mocks):
    """*resources*: (type, name) -> inputs. *asked*: (type, name) -> what the engine was asked about it. *calls*:
    (function, its arguments). *outputs*: what the cluster offers."""

    zones: Sequence[str] = ZONES
    resources: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    asked: dict[tuple[str, str], Any] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Its id is its name, and what AWS would make up tells what it is."""
        kind = args.typ.rpartition(":")[2]
        self.resources[kind, args.name] = dict(args.inputs)
        made = {key: f"{args.name}.{key}" for key in _MADE}
        return f"{kind}/{args.name}", {**made, "latestVersion": 7, **args.inputs}

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """What AWS knows."""
        self.calls.append((args.token, dict(args.args)))
        if args.token.endswith(":getAvailabilityZones"):
            return {"id": "eu-west-1", "names": list(self.zones)}, []
        return dict(_ANSWERS[args.token]), []

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Name -> inputs, of all resources of a *kind*."""
        return {name: inputs for (found, name), inputs in self.resources.items() if found == kind}

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """The inputs of one resource."""
        return self.resources[kind, name]


class _Monitor(MockMonitor):
    """Notes the options of resources too."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  the protocol's own name
        """Note it and go on."""
        if isinstance(self.mocks, Declared):
            self.mocks.asked[request.type.rpartition(":")[2], request.name] = request
        go_on: Any = super().RegisterResource
        return go_on(request)


def declare(config: Mapping[str, str] | None = None, *, zones: Sequence[str] = ZONES, **more: Any) -> Declared:
    """The cluster with the settings *config* added to `CONFIG`. *more*: further arguments of `CoreOSClusterArgs`.

    The programs of its machines are empty files. Pulumi's settings are as before when it returns.
    """
    with TemporaryDirectory() as folder:
        for name in ("etcd", "fleetctl", "fleetd"):
            (Path(folder) / name).touch()
        return copy_context().run(_declare, config or {}, zones, {"tools": Path(folder), **more})


def _declare(config: Mapping[str, str], zones: Sequence[str], more: Mapping[str, Any]) -> Declared:
    declared = Declared(zones)
    set_mocks(declared, project="fleetcaptain", stack="prod", preview=False, monitor=_Monitor(declared))
    asked: dict[str, Any] = {"repositories": ["acme/shop"], "openings": [Opening("tcp", 8080, 8080)], "public": [WEB]}
    args = CoreOSClusterArgs(read({**CONFIG, **config}.get), **{**asked, **more})

    def run() -> pulumi.Output[Any]:
        cluster = CoreOSCluster("cluster", args)
        offered = {
            "connection": cluster.connection,
            "registry": cluster.registry,
            "machines": cluster.machines,
            "public": dict(cluster.public),
            "login": cluster.login,
        }
        return pulumi.Output.all(**offered).apply(declared.outputs.update)

    test: Any = pulumi.runtime.test
    test(run)()
    return declared
