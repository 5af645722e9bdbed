"""Security groups. Only the balancer's ports of public services are open to the Internet.

fleet's API is on no network. etcd's plain port 2379 is for programs on the machine itself; machines connect to members
at 2378, with a certificate.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.scope import Scope
from components.aws.topology import Opening
from fleetcaptain.machine.machine_ports import CLIENT_TLS, HEALTH, PEER, SSH

__all__ = ["Groups", "make_groups"]

# AWS accepts only its number.
_NUMBERS = {"sctp": "132"}
_WORLD = "0.0.0.0/0"


@dataclass(frozen=True)
class Groups:
    """The ids of the security groups: of all *machines*, of *members* as well, of the *balancer* if there is one. Only
    after *ssh_rules* are there does ssh get through."""

    machines: pulumi.Output[str]
    members: pulumi.Output[str]
    balancer: pulumi.Output[str] | None
    ssh_rules: tuple[pulumi.Resource, ...] = ()


class _Rules:
    """Makes groups and rules between them. Each rule is a separate resource, so that it can be added or removed
    alone."""

    def __init__(self, scope: Scope, vpc_id: pulumi.Input[str]) -> None:
        self._scope, self._vpc_id = scope, vpc_id

    def group(self, part: str, description: str) -> pulumi.Output[str]:
        made = aws.ec2.SecurityGroup(
            self._scope.named(part),
            vpc_id=self._vpc_id,
            description=description,
            tags=self._scope.tags(part),
            opts=self._scope.child(),
        )
        identity: pulumi.Output[str] = made.id
        return identity

    def enter(
        self,
        part: str,
        group: pulumi.Input[str],
        ports: Opening,
        *,
        block: str | None = None,
        other: pulumi.Input[str] | None = None,
    ) -> pulumi.Resource:
        """Open *ports* of *group* to the addresses *block*, or the machines of the *other* group."""
        made: pulumi.Resource = aws.vpc.SecurityGroupIngressRule(
            self._scope.named(part),
            security_group_id=group,
            ip_protocol=_NUMBERS.get(ports.protocol, ports.protocol),
            from_port=ports.first,
            to_port=ports.last,
            cidr_ipv4=block,
            referenced_security_group_id=other,
            tags=self._scope.tags(part),
            opts=self._scope.child(),
        )
        return made

    def leave(
        self, part: str, group: pulumi.Input[str], ports: Opening | None, other: pulumi.Input[str] | None
    ) -> None:
        """Let *group* reach *ports* of the *other* one, or the whole Internet."""
        aws.vpc.SecurityGroupEgressRule(
            self._scope.named(part),
            security_group_id=group,
            ip_protocol=_NUMBERS.get(ports.protocol, ports.protocol) if ports else "-1",
            from_port=ports.first if ports else None,
            to_port=ports.last if ports else None,
            cidr_ipv4=None if other is not None else _WORLD,
            referenced_security_group_id=other,
            tags=self._scope.tags(part),
            opts=self._scope.child(),
        )


def make_groups(
    scope: Scope,
    vpc_id: pulumi.Input[str],
    *,
    allow_ssh_from: Sequence[str],
    between: Sequence[Opening],
    public: Collection[int],
) -> Groups:
    """The groups. *between* are the ports at which machines reach each other's services, *public* those of the balancer
    and of the proxies on all machines."""
    rules = _Rules(scope, vpc_id)
    machines = rules.group("machines", "All machines of the cluster")
    members = rules.group("members", "The machines that keep the data of etcd")
    rules.leave("out", machines, None, None)
    ssh = [rules.enter(f"ssh-{block.replace('/', '-')}", machines, _tcp(SSH), block=block) for block in allow_ssh_from]
    # An SSH client of one machine connects from there to machines without a public address.
    ssh.append(rules.enter("ssh-within", machines, _tcp(SSH), other=machines))
    rules.enter("etcd-client", members, _tcp(CLIENT_TLS), other=machines)
    rules.enter("etcd-peer", members, _tcp(PEER), other=members)
    for ports in between:
        rules.enter(f"{ports.protocol}-{ports.first}-{ports.last}", machines, ports, other=machines)
    return Groups(machines, members, _balancer(rules, machines, public) if public else None, tuple(ssh))


def _balancer(rules: _Rules, machines: pulumi.Input[str], public: Collection[int]) -> pulumi.Output[str]:
    balancer = rules.group("public", "The load balancer, which is open to the world")
    for port in sorted(public):
        rules.enter(f"public-{port}", balancer, _tcp(port), block=_WORLD)
    for target in sorted({HEALTH, *public}):
        rules.enter(f"balanced-{target}", machines, _tcp(target), other=balancer)
        rules.leave(f"balance-{target}", balancer, _tcp(target), machines)
    return balancer


def _tcp(port: int) -> Opening:
    return Opening("tcp", port, port)
