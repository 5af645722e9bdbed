"""The provider of a local cluster: create, read, repair and delete it as one thing."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, UpdateResult

from components.cluster.converge import converge
from components.cluster.data import with_data
from components.cluster.engine import docker_errors, engine, find
from components.cluster.layout import SIZES, Layout, member_names, overlaps, preferred_port, subnets
from components.cluster.machines import remove_all
from components.dynamic import PartialFailure, Provider, status
from fleetcaptain.errors import FleetCaptainError

__all__ = ["RUNNING", "LocalMachinesProvider"]

RUNNING = "running"
_INPUTS = (
    "identity",
    "size",
    "subnet",
    "registry_port",
    "home",
    "image",
    "tools",
    "agent_ttl_sec",
    "metadata",
    "tls",
    "state",
)


class LocalMachinesProvider(Provider):
    """Inputs: those of `Layout`, and ``state``, always "running" (a stopped or missing machine reads back as something
    else). ``subnet`` and ``registry_port`` are chosen once and kept. Outputs: the inputs."""

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Choose the subnet and the registry's port, so that addresses are known in the first preview already."""
        failures = []
        if isinstance(news.get("size"), float) and int(news["size"]) not in SIZES:
            failures.append(CheckFailure("size", f"a local cluster has {SIZES[0]} to {SIZES[-1]} machines"))
        inputs = dict(news)
        inputs["subnet"] = (olds or {}).get("subnet") or _free_subnet(news["identity"])
        inputs["registry_port"] = (olds or {}).get("registry_port") or _free_port(preferred_port(news["identity"]))
        return CheckResult(inputs, failures)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Turning TLS on or off makes a new cluster, since members keep each other's addresses. Everything else is
        changed in place."""
        if bool(olds.get("tls")) != bool(news["tls"]):
            return DiffResult(changes=True, replaces=["tls"], delete_before_replace=True)
        return DiffResult()

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make what is missing; adopts what an interrupted run left. Raises DeadlineExceeded, FleetCaptainError."""
        try:
            converge(Layout.of(props))
        except FleetCaptainError as error:
            raise PartialFailure(props["identity"], {**_known(props), "state": "incomplete"}, str(error)) from error
        return CreateResult(props["identity"], _known(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Repair, grow, shrink, or change metadata. Raises DeadlineExceeded, FleetCaptainError."""
        converge(Layout.of(news))
        return UpdateResult(_known(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What runs of it; nothing when nothing is left."""
        layout = Layout.of(props)
        containers = {container.name: container for container in find(layout.identity)}
        if not containers:
            return ReadResult(None, {})
        members, data = member_names(layout.size), with_data(layout)
        troubles = []
        for part in ("registry", *layout.names):
            container = containers.get(f"{layout.prefix}-{part}")
            if container is None:
                lost = part in members and part not in data
                troubles.append(f"{part} is missing, and so is its data" if lost else f"{part} is missing")
            elif container.status != "running":
                troubles.append(f"{part} is {container.status}")
        inputs = {**_known(props), "state": ", ".join(troubles) or RUNNING}
        return ReadResult(id_, inputs, inputs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove all of it, and the folder with its key."""
        status("removing the machines")
        remove_all(props["identity"])
        shutil.rmtree(props["home"], ignore_errors=True)


def _known(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in _INPUTS if key in props}


def _free_subnet(identity: str) -> str:
    with docker_errors("list the networks"):
        configs = [
            config
            for network in engine().networks.list()
            for config in (network.attrs.get("IPAM") or {}).get("Config") or ()
        ]
    taken = [config["Subnet"] for config in configs if "." in config.get("Subnet", "")]
    free = next((subnet for subnet in subnets(identity) if not overlaps(subnet, taken)), None)
    if free is None:
        raise FleetCaptainError(
            "no free subnet between 10.64.0.0 and 10.127.255.0: remove networks (`docker network ls`)"
        )
    return free


def _free_port(first: int) -> int:
    for port in range(first, first + 200):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise FleetCaptainError(f"no free port from {first} on for the cluster's registry")
