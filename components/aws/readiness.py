"""Waits until etcd takes a write and every machine has joined fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.cluster.auth_settings import FLEET_SETTINGS, not_ready
from components.cluster.handle import ClusterHandle
from components.engine.dynamic_resource import PartialFailure, Resource, cancelled, status, warn
from fleetcaptain.discovery.access import Access
from fleetcaptain.errors import ClusterUnreachable, DeadlineExceeded, FleetCaptainError, Interrupted
from fleetcaptain.fleet.connection import Connection
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.localcluster.private_folder import private_folder
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.waiting import wait_until

__all__ = ["ClusterReady", "JoinedMachines", "ReadyProvider", "wait_joined"]

_PAUSE_SEC = 2.0


@dataclass(frozen=True)
class JoinedMachines:
    """Those that are waited for: *size* of them, with *members* (name -> address) on *instances* (name -> id)."""

    size: int
    members: Mapping[str, str]
    instances: Mapping[str, str]


def wait_joined(
    wanted: JoinedMachines,
    probe: Callable[[], tuple[Machine, ...]],
    report: Callable[[str], None],
    timeout_sec: float,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when all of *wanted* are there. *probe* gives the machines in fleet, and raises ClusterUnreachable while
    nothing answers.

    Raises DeadlineExceeded with what is missing and how to look at it, and Interrupted.
    """
    last: tuple[str, list[str]] = ("", [])

    def pending() -> str:
        nonlocal last
        try:
            found, reason = probe(), ""
        except ClusterUnreachable as error:
            found, reason = (), str(error)
        missing = _missing(wanted, found)
        if not reason and not missing and len(found) >= wanted.size:
            return ""
        line = "waiting for etcd and fleet to answer" if reason else _counted(wanted, found, missing)
        last = reason or line, missing
        if cancelled():
            raise Interrupted(f"stopped while {line}; `pulumi up` goes on waiting")
        return line

    def timed_out(_line: str) -> DeadlineExceeded:
        return DeadlineExceeded(_not_ready(wanted, timeout_sec, *last))

    wait_until(pending, timeout_sec, report, timed_out, pause_sec=_PAUSE_SEC, clock=clock, sleep=sleep)


def _missing(wanted: JoinedMachines, found: tuple[Machine, ...]) -> list[str]:
    """The members that fleet does not have, by name or address."""
    there = {machine.metadata.get("name", "") for machine in found} | {machine.ip for machine in found}
    return sorted(name for name, address in wanted.members.items() if not {name, address} & there)


def _counted(wanted: JoinedMachines, found: tuple[Machine, ...], missing: list[str]) -> str:
    rest = f"; members that are missing: {', '.join(missing)}" if missing else ""
    return f"{len(found)} of {wanted.size} machines are in fleet{rest}"


def _not_ready(wanted: JoinedMachines, timeout_sec: float, what: str, missing: list[str]) -> str:
    lines = [f"the cluster is not ready after {timeout_sec:.0f} s: {what}"]
    for name in missing:
        instance = wanted.instances.get(name, "?")
        lines.append(
            f"{name} is {instance} at {wanted.members[name]}: "
            f"`aws ec2 get-console-output --latest --output text --instance-id {instance}` shows how it boots"
        )
    if not missing:
        lines.append(
            "workers come from the Auto Scaling group: `aws autoscaling describe-scaling-activities` says why not"
        )
    lines.append("Nothing of the app was touched; `pulumi up` goes on waiting.")
    return "\n  ".join(lines)


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
    cluster = ClusterHandle(Connection.parse(props["connection"])).connect("")

    def probe() -> tuple[Machine, ...]:
        cluster.store.write(_PROBE, props["connection"]["stack"], _PROBE_SEC)
        return cluster.fleet.machines()

    wanted = JoinedMachines(int(props["size"]), props["members"], props["instances"])
    wait_joined(wanted, probe, status, float(props["timeout_sec"]), cancelled=cancelled)
    return _secure(cluster, props)


def _secure(cluster: Cluster, props: Mapping[str, Any]) -> bool:
    status("securing etcd")
    argv = ["cat", FLEET_SETTINGS]
    settings = {machine.ip: cluster.run(machine.ip, argv, _PROBE_SEC) for machine in cluster.fleet.machines()}
    old, access = not_ready(settings), Access(cluster.store.request)
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
