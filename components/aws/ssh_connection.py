"""The connection to a cluster on AWS: OpenSSH to the members, directly or through AWS Systems Manager."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.members import MemberNetwork
from components.aws.replacement_guard import refuse_second_loss
from components.aws.settings import Settings
from components.engine.abort import abort
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.tunnel import Tunnel

__all__ = ["connection", "endpoint_of_members", "guarded", "hosts_of"]

_USER = "core"


def connection(
    settings: Settings, identity: str, region: str, hosts: Mapping[str, str], profile: str = ""
) -> dict[str, Any]:
    """The connection; see `Connection`. *hosts*: member -> its public address, or the id of its instance. *profile*:
    that of ``aws:profile``. Pure.

    Paths are relative to the program's folder, so that it is the same for everyone who uses the stack.
    """
    endpoint: dict[str, Any] = {
        "kind": ClusterKind.AWS.value,
        "stack": identity,
        "ssh": [f"{_USER}@{host}" for _, host in sorted(hosts.items())],
        "key": settings.ssh_key,
        "known_hosts": f".fleetcaptain/{identity.rpartition('/')[2]}/known_hosts",
        # Workers have private addresses, and fleet reports private ones for all machines.
        "inside": settings.advertised == "private",
        "size": settings.size,
        "region": region,
    }
    if profile:
        endpoint["profile"] = profile
    if not settings.allow_ssh_from:
        # A shell reads it, after ssh has replaced its tokens.
        account = f"--profile {shlex.quote(profile).replace('%', '%%')} " if profile else ""
        endpoint["proxy"] = (
            f"aws ssm start-session {account}--region {region} --target %h --document-name AWS-StartSSHSession "
            "--parameters portNumber=%p"
        )
    return endpoint


def hosts_of(
    settings: Settings, networks: Mapping[str, MemberNetwork], machines: Mapping[str, aws.ec2.Instance]
) -> Mapping[str, pulumi.Output[str]]:
    """Member -> the host that ssh connects to."""
    if settings.allow_ssh_from:
        return {name: network.public for name, network in networks.items()}
    return {name: machine.id for name, machine in machines.items()}


def endpoint_of_members(
    settings: Settings, identity: str, hosts: Mapping[str, pulumi.Input[str]]
) -> pulumi.Output[Mapping[str, Any]]:
    """The connection, as soon as its *hosts* are known."""
    region, profile = aws.get_region().region, pulumi.Config("aws").get("profile") or ""
    return pulumi.Output.all(**hosts).apply(lambda known: connection(settings, identity, region, known, profile))


def guarded(ami: str, settings: Settings, identity: str, hosts: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """*ami* for the member that is renewed, once all of the others, whose *hosts* these are, are known to be healthy.
    Ends the program if one is not."""

    def probe(known: Mapping[str, Any]) -> str:
        tunnel = Tunnel(Endpoint.of(known, managed=True))
        members = dict(zip(sorted(hosts), known["ssh"], strict=True))
        try:
            refuse_second_loss(settings.renew, members, lambda host, argv: tunnel.run(host, argv).code)
        except ClusterRefused as error:
            abort(error)
        return ami

    return endpoint_of_members(settings, identity, hosts).apply(probe)
