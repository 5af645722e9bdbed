"""The interface of all clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import pulumi

__all__ = ["ClusterComponent"]


class ClusterComponent(pulumi.ComponentResource):
    """A cluster. *connection*: see `fleetcaptain.fleet.connection`. *registry*: ``host:port`` to push images to, by
    which the machines pull them too, on AWS with what the names of all images begin with. *etcd*: URLs on the network,
    as far as they are known. *machines*: name -> address. *owned*: the resource that the cluster is removed with, None
    for one that this stack does not own. *login*: user and password for pushing to the registry, None if it requires
    none. *balancer*: the address of the load balancer before the app's proxies, if there is one; *targets*: public
    port -> its target group there. *asks_before_loss*: its removal needs consent to lose data, for which the first
    resource to go asks.
    """

    connection: pulumi.Output[Mapping[str, Any]]
    registry: pulumi.Output[str]
    etcd: pulumi.Output[Sequence[str]]
    machines: pulumi.Output[Mapping[str, str]]
    owned: pulumi.Resource | None
    login: pulumi.Output[tuple[str, str]] | None = None
    asks_before_loss: ClassVar[bool] = False
    balancer: pulumi.Input[str] | None = None
    targets: Mapping[str, pulumi.Input[str]] = MappingProxyType({})
