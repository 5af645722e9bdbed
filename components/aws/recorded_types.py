"""The types of the resources of a cluster on AWS that later updates find in the stack's state."""

from __future__ import annotations

from components.engine.dynamic_resource import type_of

__all__ = [
    "ADDRESS",
    "GROUP",
    "INSTANCE",
    "JOINED",
    "READY",
    "RECORDED",
    "REPOSITORY",
    "SUBNET",
    "TEMPLATE",
    "VOLUME",
    "VPC",
]

VPC, SUBNET, VOLUME = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ebs/volume:Volume"
INSTANCE, ADDRESS = "aws:ec2/instance:Instance", "aws:ec2/eip:Eip"
TEMPLATE, GROUP = "aws:ec2/launchTemplate:LaunchTemplate", "aws:autoscaling/group:Group"
REPOSITORY = "aws:ecr/repository:Repository"
READY, JOINED = type_of("ClusterReady"), type_of("JoinedMember")

RECORDED = (VPC, SUBNET, VOLUME, INSTANCE, ADDRESS, TEMPLATE, GROUP, REPOSITORY, READY, JOINED)
"""All of them; none of the outputs that are read is a secret."""
