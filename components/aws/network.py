"""The network: a VPC with one subnet in each zone. The machines reach the Internet through an internet gateway; the
security groups decide who reaches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.aws.scope import Scope
from components.aws.topology import Subnet, reserved_block

__all__ = ["Network", "make_network"]


@dataclass(frozen=True)
class Network:
    """The VPC's id, subnet's name -> its id, and what must exist before a machine can reach the Internet."""

    vpc_id: pulumi.Output[str]
    subnet_ids: Mapping[str, pulumi.Output[str]]
    before_machines: tuple[pulumi.Resource, ...]


def make_network(scope: Scope, block: str, subnets: Sequence[Subnet]) -> Network:
    """The network with the addresses *block*."""
    vpc = aws.ec2.Vpc(
        scope.named(""),
        cidr_block=block,
        enable_dns_support=True,
        enable_dns_hostnames=True,
        tags=scope.tags(""),
        opts=scope.child(),
    )
    gateway = aws.ec2.InternetGateway(scope.named(""), vpc_id=vpc.id, tags=scope.tags(""), opts=scope.child())
    table = aws.ec2.RouteTable(scope.named(""), vpc_id=vpc.id, tags=scope.tags(""), opts=scope.child())
    route = aws.ec2.Route(
        scope.named("world"),
        route_table_id=table.id,
        destination_cidr_block="0.0.0.0/0",
        gateway_id=gateway.id,
        opts=scope.child(),
    )
    ids: dict[str, pulumi.Output[str]] = {}
    before: list[pulumi.Resource] = [route]
    for subnet in subnets:
        made = aws.ec2.Subnet(
            scope.named(subnet.name),
            vpc_id=vpc.id,
            cidr_block=subnet.block,
            availability_zone=subnet.zone,
            tags=scope.tags(subnet.name),
            opts=scope.child(),
        )
        # Without it, a balancer or a worker may take the address of a member that is being replaced.
        reserved = aws.ec2.SubnetCidrReservation(
            scope.named(subnet.name),
            subnet_id=made.id,
            cidr_block=reserved_block(subnet),
            reservation_type="explicit",
            description="addresses of etcd's members",
            opts=scope.child(),
        )
        routed = aws.ec2.RouteTableAssociation(
            scope.named(subnet.name), subnet_id=made.id, route_table_id=table.id, opts=scope.child()
        )
        ids[subnet.name] = made.id
        before += [reserved, routed]
    return Network(vpc.id, ids, tuple(before))
