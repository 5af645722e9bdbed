"""The provider of a local cluster: create, read, repair and delete it as one thing."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.data_loss import refuse_loss
from components.engine.dynamic_resource import PartialFailure, status
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.fleet.project_files import from_project
from fleetcaptain.localcluster.certificates import has_authority, has_secrets_pair
from fleetcaptain.localcluster.checkout import claim, identity_for, refuse_copy, stack_folder
from fleetcaptain.localcluster.consent import size_problems, tls_problem
from fleetcaptain.localcluster.docker_client import LABEL, docker_errors, engine, find
from fleetcaptain.localcluster.layout import (
    Layout,
    certificates_in,
    machine_names,
    member_names,
    overlaps,
    preferred_port,
    prefix_of,
    subnets,
)
from fleetcaptain.localcluster.local_reconcile import reconcile
from fleetcaptain.localcluster.machines import remove_all
from fleetcaptain.localcluster.pushed_images import remove_pushed
from fleetcaptain.localcluster.registry_cleanup import collects_garbage
from fleetcaptain.localcluster.volumes import kept_data, with_data

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
    "open_dirs",
    "state",
)


class LocalMachinesProvider(ResourceProvider):
    """Inputs: those of `Layout`; ``state``, always "running" (a stopped or missing machine reads back as something
    else); and ``remove_machines``, the names of the machines that a smaller ``size`` may remove, which is not kept.
    ``identity`` is the stack's name; the rest of it, ``subnet`` and ``registry_port`` are chosen once and kept,
    ``home`` is kept.
    Outputs: the inputs.

    All operations are refused in a copy of the checkout that the cluster belongs to; see
    `fleetcaptain.localcluster.checkout`.
    """

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Choose the identity, the subnet and the registry's port, so that the first preview knows the addresses;
        refuse changes that would lose data without consent. Raises ClusterRefused, ClusterUnreachable."""
        known, inputs = olds or {}, dict(news)
        name, consent = news["identity"], inputs.pop("remove_machines", ())
        # A renamed stack keeps the folder of its keys, which its machines accept.
        home = known.get("home") or news["home"]
        identity = identity_for(name, stack_folder(home), known.get("identity", ""))
        refuse_copy(identity, home)
        inputs["identity"], inputs["home"] = identity, str(stack_folder(home))
        # In a first preview the identity is not the one that `pulumi up` makes, but the addresses are.
        seed = f"{name} {Path.cwd()}"
        inputs["subnet"] = known.get("subnet") or _own_subnet(identity) or _free_subnet(seed)
        inputs["registry_port"] = known.get("registry_port") or _own_port(identity) or _free_port(preferred_port(seed))
        stack, size = name.rpartition("/")[2], news.get("size")
        before = bool(known.get("tls")) if known else _own_tls(identity, home)
        if news.get("tls") is None:
            inputs["tls"] = before is not False
        problems = {"tls": [tls_problem(before, bool(inputs["tls"]), stack)]}
        if isinstance(size, float):
            there = _machines(identity, known)
            problems["size"] = size_problems(there, int(size), consent, stack, lambda: kept_data(identity))
        return CheckResult(inputs, [CheckFailure(key, why) for key, found in problems.items() for why in found if why])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create missing parts; adopts the parts that an interrupted run created. Raises DeadlineExceeded,
        FleetCaptainError."""
        claim(props["identity"], props["home"])
        try:
            reconcile(Layout.of(props), status)
        except FleetCaptainError as error:
            raise PartialFailure(props["identity"], {**_known(props), "state": "incomplete"}, str(error)) from error
        return CreateResult(props["identity"], _known(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Repair, grow, shrink, or change metadata. Raises DeadlineExceeded, FleetCaptainError."""
        claim(news["identity"], news["home"])
        reconcile(Layout.of(news), status)
        return UpdateResult(_known(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The observed state; empty if no part is left."""
        layout = Layout.of(props)
        containers = {container.name: container for container in find(layout.identity)}
        if not containers:
            return ReadResult(None, {})
        claim(layout.identity, props["home"])
        members, data = member_names(layout.size), with_data(layout)
        troubles = [] if has_secrets_pair(layout.home) else ["machines have no key for secrets"]
        for part in ("registry", *layout.names):
            container = containers.get(f"{layout.prefix}-{part}")
            if container is None:
                lost = part in members and part not in data
                troubles.append(f"{part} is missing, and so is its data" if lost else f"{part} is missing")
            elif container.status != "running":
                troubles.append(f"{part} is {container.status}")
            elif part == "registry" and not collects_garbage(container):
                troubles.append("registry collects no garbage")
        paths = {"home": str(layout.home), "tools": str(layout.tools)}  # an earlier version stored absolute ones
        inputs = {**_known(props), **paths, "state": ", ".join(troubles) or RUNNING}
        return ReadResult(id_, inputs, inputs)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove the cluster, the folder with its key, and the images that were pushed to its registry. Raises
        ClusterRefused before anything is removed, also without consent to lose the data of services."""
        refuse_copy(props["identity"], props["home"])
        refuse_loss(props["identity"])
        status("removing the machines")
        remove_all(props["identity"])
        shutil.rmtree(stack_folder(props["home"]), ignore_errors=True)
        remove_pushed(f"127.0.0.1:{int(props['registry_port'])}")


def _known(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in _INPUTS if key in props}


def _machines(identity: str, known: Mapping[str, Any]) -> set[str]:
    """The names of the machines in the state, or, if it is lost, of those that exist."""
    if "size" in known:
        return set(machine_names(int(known["size"])))
    return {container.name.removeprefix(f"{prefix_of(identity)}-") for container in find(identity, "machine")}


def _own_subnet(identity: str) -> str:
    """The subnet of the cluster's network, "" if there is none."""
    with docker_errors("list the networks"):
        found = engine().networks.list(filters={"label": f"{LABEL}={identity}"})
    configs = [config for network in found for config in (network.attrs.get("IPAM") or {}).get("Config") or ()]
    return str(configs[0]["Subnet"]) if configs else ""


def _own_tls(identity: str, home: str) -> bool | None:
    """Whether the machines speak TLS to etcd; None when there are none."""
    return has_authority(certificates_in(from_project(home))) if find(identity, "machine") else None


def _own_port(identity: str) -> int:
    """The port of the cluster's registry, 0 when there is none."""
    found = find(identity, "registry")
    bindings = found[0].attrs["HostConfig"]["PortBindings"]["5000/tcp"] if found else ()
    return int(bindings[0]["HostPort"]) if bindings else 0


def _free_subnet(seed: str) -> str:
    with docker_errors("list the networks"):
        configs = [
            config
            for network in engine().networks.list()
            for config in (network.attrs.get("IPAM") or {}).get("Config") or ()
        ]
    taken = [config["Subnet"] for config in configs if "." in config.get("Subnet", "")]
    free = next((subnet for subnet in subnets(seed) if not overlaps(subnet, taken)), None)
    if free is None:
        raise FleetCaptainError(
            "Could not create the cluster's network: no subnet between 10.64.0.0 and 10.127.255.0 is free. Nothing "
            "was changed. Remove unused networks: `docker network prune`."
        )
    return free


def _free_port(first: int) -> int:
    ports = range(first, first + 200)
    for port in ports:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise FleetCaptainError(
        f"Could not create the cluster's registry: no port from {first} to {ports[-1]} is free on the loopback. "
        "Nothing was changed. Stop a program that listens there."
    )
