"""The cluster is ready when etcd takes a write, so that it has a quorum, and every machine is in fleet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.access import FLEET_SETTINGS, not_ready
from components.cluster.aws.joined import JoinedMachines, wait_joined
from components.cluster.private_folder import private_folder
from components.connection import connect
from components.dynamic_resource import PartialFailure, Resource, cancelled, status, warn
from fleetcaptain.discovery.access import Access
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.fleet.values import Machine
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["ClusterReady", "ReadyProvider"]

_INPUTS = ("connection", "size", "members", "instances", "timeout_sec", "open_dirs", "secured")
_PROBE = "/fleetcaptain-ready"
_PROBE_SEC = 60


class ReadyProvider(ResourceProvider):
    """Waits for the machines, and secures etcd. Inputs: ``connection``; ``size``; ``members``, name -> address, and
    ``instances``, name -> the id of its instance; ``timeout_sec``; ``open_dirs``, the directories of etcd that stay
    open to containers when its authentication is turned on; ``secured``, always true. Outputs: the inputs, with
    ``secured`` as it is, so that an `up` tries again."""

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Which machines keep etcd's data is chosen once: others would start as if they were the first."""
        before, after = (set((props or {}).get("members") or ()) for props in (olds, news))
        failures = []
        if before and after and before != after:
            why = (
                f"this cluster's etcd has {len(before)} members, and cannot have {len(after)}: `pulumi config set "
                f"fleetcaptain:members {len(before)}`, so that machines that are added become workers"
            )
            failures.append(CheckFailure("members", why))
        return CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait. Raises DeadlineExceeded; the next ``up`` waits again."""
        stack = props["connection"]["stack"]
        _forget_keys(props)
        try:
            secured = _wait(props)
        except FleetCaptainError as error:
            raise PartialFailure(stack, {**_known(props), "size": 0}, str(error)) from error
        return CreateResult(stack, {**_known(props), "secured": secured})

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Wait. Raises DeadlineExceeded; the next ``up`` waits again."""
        if olds.get("instances") != news["instances"]:
            _forget_keys(news)
        return UpdateResult({**_known(news), "secured": _wait(news)})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What was known at the end of the last wait."""
        known = {key: props[key] for key in _INPUTS if key in props}
        return ReadResult(id_, known, known)


def _forget_keys(props: Mapping[str, Any]) -> None:
    """A new machine has new host keys, and its address may be an old one's."""
    file = Path(props["connection"]["known_hosts"])
    private_folder(file.parent)
    file.unlink(missing_ok=True)


def _wait(props: Mapping[str, Any]) -> bool:
    """Return when all machines are there; whether etcd is secured then."""
    cluster = connect(props["connection"], "")

    def look() -> tuple[Machine, ...]:
        cluster.store.write(_PROBE, props["connection"]["stack"], _PROBE_SEC)
        return cluster.fleet.machines()

    wanted = JoinedMachines(int(props["size"]), props["members"], props["instances"])
    wait_joined(wanted, look, status, float(props["timeout_sec"]), cancelled=cancelled)
    return _secure(cluster, props)


def _secure(cluster: Cluster, props: Mapping[str, Any]) -> bool:
    status("securing etcd")
    argv = ["cat", FLEET_SETTINGS]
    settings = {machine.ip: cluster.run(machine.ip, argv, _PROBE_SEC) for machine in cluster.fleet.machines()}
    old, access = not_ready(settings), Access(cluster.store.ask)
    if old and not access.enforced():
        warn(
            f"etcd stays open to containers: the machines {', '.join(old)} have no certificate of fleet's, as an "
            "earlier version made them, or do not answer. Renew them (docs/aws.md), then run `pulumi up` again."
        )
        return False
    access.enforce(props["open_dirs"])
    return True


def _known(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in _INPUTS}


class ClusterReady(Resource):
    """The wait for a cluster; see `ReadyProvider`. What needs the cluster comes after it."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ClusterReady", name, props, opts)
