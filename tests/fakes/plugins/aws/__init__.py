"""The stand-in for pulumi-aws: its table of types, each of which asks AWS's API for what it is given."""

from __future__ import annotations

from importlib.metadata import version

from tests.fakes.plugins.aws import (
    balancing,
    groups,
    identity,
    interfaces,
    machines,
    network,
    registry,
    security,
    storage,
    templates,
    volumes,
)
from tests.fakes.plugins.aws.api import configure
from tests.fakes.plugins.aws.lookups import INVOKES
from tests.fakes.plugins.kinds import Plugin

__all__ = ["PLUGIN"]

_MODULES = (balancing, groups, identity, interfaces, machines, network, registry, security, storage, templates, volumes)
_KINDS = [module.KINDS for module in _MODULES]

PLUGIN = Plugin(
    version("pulumi-aws"), {token: kind for kinds in _KINDS for token, kind in kinds.items()}, INVOKES, configure
)
