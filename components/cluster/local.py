"""``LocalCluster``: real machines (systemd, etcd, fleet, docker) in the Docker engine of this computer."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.cluster.interface import ClusterComponent
from components.cluster.local_provider import RUNNING
from components.engine.dynamic_resource import Resource
from fleetcaptain.fleet.project_files import STACKS
from fleetcaptain.localcluster.checkout import stack_folder
from fleetcaptain.localcluster.layout import Layout
from fleetcaptain.localcluster.local_reconcile import IMAGE_FOLDER

__all__ = ["LocalCluster", "LocalMachines", "machine_image"]


class LocalMachines(Resource):
    """The machines, their network and their registry. The inputs are those of `LocalMachinesProvider`."""

    identity: pulumi.Output[str]
    size: pulumi.Output[float]
    subnet: pulumi.Output[str]
    registry_port: pulumi.Output[float]
    home: pulumi.Output[str]
    image: pulumi.Output[str]
    tools: pulumi.Output[str]
    agent_ttl_sec: pulumi.Output[float]
    metadata: pulumi.Output[Mapping[str, str | Mapping[str, str]]]
    tls: pulumi.Output[bool]
    open_dirs: pulumi.Output[Sequence[str]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        chosen = {"subnet": None, "registry_port": None}
        super().__init__("LocalMachines", name, {**chosen, **props, "state": RUNNING}, opts)


class LocalCluster(ClusterComponent):
    """*size* machines (1 to 7), of which 3 keep etcd's data (1 if there are fewer), and a registry.

    *metadata* is added to fleet's metadata of every machine, next to its ``name`` and ``zone``; by a machine's name, to
    that of the machine. *agent_ttl_sec*: fleet moves the units of a silent machine after so many seconds. *tls*: etcd
    requires certificates from machines, refuses all other clients on the network, and lets containers write
    registrations only; None: unchanged, and true for a new cluster. *open_dirs*: other directories of etcd which
    containers may read and write.
    *remove_machines*: those that a smaller *size* may remove, with their data.
    """

    asks_before_loss = True

    def __init__(
        self,
        name: str,
        *,
        size: int = 3,
        metadata: Mapping[str, str | Mapping[str, str]] | None = None,
        agent_ttl_sec: int = 30,
        tls: bool | None = None,
        open_dirs: Sequence[str] = (),
        remove_machines: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("fleetcaptain:cluster:LocalCluster", name, None, opts)
        project, stack = pulumi.get_project(), pulumi.get_stack()
        self.owned = machines = LocalMachines(
            name,
            {
                "identity": f"{project}/{stack}",
                "size": size,
                "home": str(stack_folder(f"{STACKS}/{stack}")),
                "image": machine_image(),
                "tools": ".tools/bin",
                "agent_ttl_sec": agent_ttl_sec,
                "metadata": dict(metadata or {}),
                "tls": tls,
                "open_dirs": list(open_dirs),
                "remove_machines": list(remove_machines),
            },
            pulumi.ResourceOptions(parent=self),
        )
        layout = pulumi.Output.all(
            identity=machines.identity,
            size=machines.size,
            subnet=machines.subnet,
            registry_port=machines.registry_port,
            home=machines.home,
            image=machines.image,
            tools=machines.tools,
            agent_ttl_sec=machines.agent_ttl_sec,
            metadata=machines.metadata,
            tls=machines.tls,
            open_dirs=machines.open_dirs,
        ).apply(Layout.of)
        self.connection = layout.apply(lambda known: known.connection())
        self.registry = layout.apply(lambda known: f"127.0.0.1:{known.registry_port}")
        self.etcd = layout.apply(lambda known: list(known.etcd_urls))
        self.machines = layout.apply(lambda known: dict(known.addresses))
        self.register_outputs({"registry": self.registry, "machines": self.machines})


@functools.cache
def machine_image() -> str:
    """The image that machines boot from. Its tag changes with the image's folder."""
    digest = hashlib.sha256()
    for path in sorted(IMAGE_FOLDER.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(IMAGE_FOLDER)).encode() + b"\0" + path.read_bytes())
    return f"fleetcaptain-machine:{digest.hexdigest()[:12]}"
