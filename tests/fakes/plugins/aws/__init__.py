"""The stand-in for pulumi-aws: its table of types, each of which asks AWS's API for what it is given."""

from __future__ import annotations

from importlib.metadata import version

from tests.fakes.plugins.aws import balancing, groups, interfaces, storage, templates
from tests.fakes.plugins.aws import ebs as volumes
from tests.fakes.plugins.aws import ec2_instances as machines
from tests.fakes.plugins.aws import ecr as registry
from tests.fakes.plugins.aws import group_rules as security
from tests.fakes.plugins.aws import roles as identity
from tests.fakes.plugins.aws import vpc as network
from tests.fakes.plugins.aws.aws_api import configure
from tests.fakes.plugins.aws.lookups import INVOKES
from tests.fakes.plugins.resource_types import Plugin

__all__ = ["PLUGIN"]

_MODULES = (balancing, groups, identity, interfaces, machines, network, registry, security, storage, templates, volumes)
_KINDS = [module.KINDS for module in _MODULES]

PLUGIN = Plugin(
    version("pulumi-aws"), {token: kind for kinds in _KINDS for token, kind in kinds.items()}, INVOKES, configure
)
