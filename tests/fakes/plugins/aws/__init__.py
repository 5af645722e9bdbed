"""The stand-in for pulumi-aws: its table of types, each of which asks AWS's API for what it is given."""

from __future__ import annotations

from importlib.metadata import version

from tests.fakes.plugins.aws import (
    balancing,
    dlm,
    ebs,
    ec2_instances,
    ecr,
    group_rules,
    groups,
    interfaces,
    roles,
    schedules,
    storage,
    templates,
    vpc,
)
from tests.fakes.plugins.aws.aws_api import configure
from tests.fakes.plugins.aws.lookups import INVOKES
from tests.fakes.plugins.resource_types import Plugin

__all__ = ["PLUGIN"]

_MODULES = (
    balancing,
    dlm,
    ebs,
    ec2_instances,
    ecr,
    group_rules,
    groups,
    interfaces,
    roles,
    schedules,
    storage,
    templates,
    vpc,
)
_KINDS = [module.KINDS for module in _MODULES]

PLUGIN = Plugin(
    version("pulumi-aws"), {token: kind for kinds in _KINDS for token, kind in kinds.items()}, INVOKES, configure
)
