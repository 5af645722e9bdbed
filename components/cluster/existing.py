"""``ExistingCluster``: a fleet cluster that others made, and that stays when the stack goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi

from components.cluster.existing_config import connection_of, version_problem
from components.cluster.existing_handle import ExistingHandle
from components.cluster.interface import ClusterComponent
from fleetcaptain.errors import ClusterRefused
from fleetcaptain.fleet.connection import Connection
from fleetcaptain.printable import printable
from fleetcaptain.registry_login import RegistryLogin

__all__ = ["ExistingCluster", "machines_of"]


class ExistingCluster(ClusterComponent):
    """The cluster at the addresses *fleet*: several ``ssh://user@host[:port]``, of which any one suffices; or
    one ``unix://<fleet's socket>``, or one ``http://`` on the loopback, with etcd at ``settings["etcd"]``.

    *settings*: see `SETTINGS`. *login*: the configured one at the registry, if there is one. The stack does not own the
    cluster: a destroy removes only the app's units and its keys in etcd. The program checks the version of fleet.
    Raises ClusterRefused and ClusterUnreachable; nothing was changed then.
    """

    def __init__(
        self,
        name: str,
        *,
        fleet: Sequence[str],
        settings: Mapping[str, str],
        login: RegistryLogin | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        stack = f"{pulumi.get_project()}/{pulumi.get_stack()}"
        connection = connection_of(fleet, settings, stack, Path.cwd())
        machines = machines_of(connection)
        super().__init__("fleetcaptain:cluster:ExistingCluster", name, None, opts)
        self.owned = None
        self.connection = pulumi.Output.from_input(connection)
        self.etcd = pulumi.Output.from_input([connection["etcd"]] if "etcd" in connection else [])
        self.registry = pulumi.Output.from_input(settings["registry"])
        self.login = pulumi.Output.secret((login.user, login.password)) if login else None
        self.machines = pulumi.Output.from_input(machines)
        self.register_outputs({"registry": self.registry, "machines": self.machines})


def machines_of(connection: Mapping[str, Any]) -> dict[str, str]:
    """Name (or id of a machine without a name) -> address. Raises ClusterRefused if this fleet is unusable."""
    fleet = ExistingHandle(Connection.parse(connection)).connect("").fleet
    problem = version_problem(fleet.server())
    if problem:
        raise ClusterRefused("Cannot use this cluster:", [problem])
    found = fleet.machines()
    ordered = sorted(found, key=lambda one: one.ip)
    # They become an output of the stack.
    return {printable(machine.metadata.get("name", machine.id)): printable(machine.ip) for machine in ordered}
