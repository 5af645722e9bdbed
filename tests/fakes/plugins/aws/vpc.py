"""VPC, subnets and routes.

What replaces comes from the schemas of terraform-provider-aws (``internal/service/ec2``: ``ForceNew``), which
pulumi-aws is made of.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from tests.fakes.plugins.aws.aws_api import api, arn, ec2_tags
from tests.fakes.plugins.aws.refused import check_subnet_free
from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, words

__all__ = ["KINDS"]


def _vpc(given: Given) -> Made:
    made = api("ec2").create_vpc(**given.params("cidrBlock", "instanceTenancy"), **given.tags("vpc"))["Vpc"]
    for key in ("enableDnsSupport", "enableDnsHostnames"):
        if key in given:
            _vpc_attribute(key)(given.made(made["VpcId"]))
    found = api("ec2").describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [made["VpcId"]]}])["RouteTables"]
    outputs = {"arn": arn("ec2", f"vpc/{made['VpcId']}"), "mainRouteTableId": found[0]["RouteTableId"]}
    return Made(made["VpcId"], outputs)


def _vpc_attribute(key: str) -> Callable[[Given], None]:
    def ask(given: Given) -> None:
        api("ec2").modify_vpc_attribute(VpcId=given.id, **{f"E{key[1:]}": {"Value": given[key]}})

    return ask


def _subnet(given: Given) -> Made:
    params = given.params("vpcId", "cidrBlock", "availabilityZone")
    made = api("ec2").create_subnet(**params, **given.tags("subnet"))["Subnet"]
    if "mapPublicIpOnLaunch" in given:
        _public_addresses(given.made(made["SubnetId"]))
    return Made(made["SubnetId"], {"arn": made["SubnetArn"], "availabilityZoneId": made["AvailabilityZoneId"]})


def _public_addresses(given: Given) -> None:
    api("ec2").modify_subnet_attribute(SubnetId=given.id, MapPublicIpOnLaunch={"Value": given["mapPublicIpOnLaunch"]})


def _gateway(given: Given) -> Made:
    made = api("ec2").create_internet_gateway(**given.tags("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
    if "vpcId" in given:
        api("ec2").attach_internet_gateway(InternetGatewayId=made, **given.params("vpcId"))
    return Made(made, {"arn": arn("ec2", f"internet-gateway/{made}")})


def _no_gateway(had: Given) -> None:
    if "vpcId" in had:
        api("ec2").detach_internet_gateway(InternetGatewayId=had.id, VpcId=had["vpcId"])
    api("ec2").delete_internet_gateway(InternetGatewayId=had.id)


def _route_table(given: Given) -> Made:
    made = api("ec2").create_route_table(**given.params("vpcId"), **given.tags("route-table"))["RouteTable"]
    identity = made["RouteTableId"]
    for route in given.get("routes", []):
        api("ec2").create_route(RouteTableId=identity, **_to(Given(route)))
    return Made(identity, {"arn": arn("ec2", f"route-table/{identity}")})


def _to(given: Given) -> dict[str, Any]:
    destination = given.params("destinationCidrBlock", cidrBlock="DestinationCidrBlock")
    return {**destination, **given.params("gatewayId", "natGatewayId", "networkInterfaceId")}


def _route(given: Given) -> Made:
    params = _to(given)
    api("ec2").create_route(**given.params("routeTableId"), **params)
    return Made(f"r-{given['routeTableId']}{zlib.crc32(params['DestinationCidrBlock'].encode())}")


def _no_route(had: Given) -> None:
    api("ec2").delete_route(RouteTableId=had["routeTableId"], DestinationCidrBlock=had["destinationCidrBlock"])


def _association(given: Given) -> Made:
    made = api("ec2").associate_route_table(**given.params("routeTableId", "subnetId"))
    return Made(made["AssociationId"])


def _no_subnet(had: Given) -> None:
    check_subnet_free(had.id)
    api("ec2").delete_subnet(SubnetId=had.id)


def _gone(operation: str, param: str) -> Callable[[Given], None]:
    return lambda had: getattr(api("ec2"), operation)(**{param: had.id})


def _reservation(given: Given) -> Made:
    params = given.params("subnetId", "description", reservationType="ReservationType", cidrBlock="Cidr")
    made = api("ec2").create_subnet_cidr_reservation(**params)["SubnetCidrReservation"]
    return Made(made["SubnetCidrReservationId"], {"ownerId": made["OwnerId"]})


_TAGS = {"tags": ec2_tags}

KINDS = {
    "aws:ec2/vpc:Vpc": Kind(
        _vpc,
        _gone("delete_vpc", "VpcId"),
        replaces=words("cidrBlock ipv4IpamPoolId ipv4NetmaskLength"),
        updates={
            **_TAGS,
            "enableDnsSupport": _vpc_attribute("enableDnsSupport"),
            "enableDnsHostnames": _vpc_attribute("enableDnsHostnames"),
        },
    ),
    "aws:ec2/subnet:Subnet": Kind(
        _subnet,
        _no_subnet,
        replaces=words("availabilityZone availabilityZoneId cidrBlock ipv6Native outpostArn vpcId"),
        updates={**_TAGS, "mapPublicIpOnLaunch": _public_addresses},
    ),
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation": Kind(
        _reservation,
        _gone("delete_subnet_cidr_reservation", "SubnetCidrReservationId"),
        replaces=words("cidrBlock description reservationType subnetId"),
    ),
    "aws:ec2/internetGateway:InternetGateway": Kind(_gateway, _no_gateway, updates=_TAGS),
    "aws:ec2/routeTable:RouteTable": Kind(
        _route_table, _gone("delete_route_table", "RouteTableId"), replaces=words("vpcId"), updates=_TAGS
    ),
    "aws:ec2/route:Route": Kind(_route, _no_route, replaces=words("destinationCidrBlock routeTableId")),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Kind(
        _association, _gone("disassociate_route_table", "AssociationId"), replaces=words("gatewayId subnetId")
    ),
}
