"""Waits until etcd takes a write and every machine has joined fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, ReadResult, ResourceProvider, UpdateResult

from components.aws.refresh_guard import WindowGuard
from components.aws.replacement_guard import moved_members
from components.aws.worker_refresh import WorkerGroup, wait_replaced
from components.cluster.auth_settings import FLEET_SETTINGS, not_ready
from components.cluster.aws_client import aws_client
from components.cluster.handles import handle_of
from components.engine.dynamic_resource import PartialFailure, Resource, cancelled, status, warn
from fleetcaptain.discovery.access import Access
from fleetcaptain.errors import ClusterUnreachable, DeadlineExceeded, FleetCaptainError, Interrupted
from fleetcaptain.fleet.connection import Connection
from fleetcaptain.fleet.entities import Machine
from fleetcaptain.fleet.private_folder import private_folder
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.schedule.window_machines import is_of_windows
from fleetcaptain.waiting import wait_until

__all__ = ["ClusterReady", "JoinedMachines", "ReadyProvider", "wait_joined"]

_PAUSE_SEC = 2.0
_INPUTS = (
    "connection",
    "size",
    "members",
    "instances",
    "timeout_sec",
    "open_dirs",
    "secured",
    "allow_ssh_from",
    "workers",
)
_PROBE = "/fleetcaptain-ready"
_PROBE_SEC = 60
# Until then it is normal that machines do not answer: they boot.
_REASON_SEC = 60


@dataclass(frozen=True)
class JoinedMachines:
    """The expected machines: *size* of them, with *members* (name -> address) on *instances* (name -> id)."""

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
    """Return when all of *wanted* have joined. *probe* returns the machines in fleet, and raises ClusterUnreachable
    while the cluster does not answer; the reason is reported after a minute. Machines of windows do not count: they
    come and go.

    Raises DeadlineExceeded with the missing machines and how to inspect them, and Interrupted.
    """
    last: tuple[str, list[str]] = ("", [])
    silent_since: float | None = None

    def pending() -> str:
        nonlocal last, silent_since
        try:
            found, reason = tuple(one for one in probe() if not is_of_windows(one.metadata)), ""
        except ClusterUnreachable as error:
            found, reason = (), str(error)
        missing = _missing(wanted, found)
        if not reason and not missing and len(found) >= wanted.size:
            return ""
        silent_since = (clock() if silent_since is None else silent_since) if reason else None
        if silent_since is None:
            line = _counted(wanted, found, missing)
        else:
            line = "waiting for etcd and fleet to answer"
            line += f"; the last attempt failed: {reason}" if clock() - silent_since >= _REASON_SEC else ""
        last = reason or line, missing
        if cancelled():
            raise Interrupted(f"stopped on request: {line}. To continue waiting, run `pulumi up`")
        return line

    def timed_out(_line: str) -> DeadlineExceeded:
        return DeadlineExceeded(_not_ready(wanted, timeout_sec, *last))

    wait_until(pending, timeout_sec, report, timed_out, pause_sec=_PAUSE_SEC, clock=clock, sleep=sleep)


def _missing(wanted: JoinedMachines, found: tuple[Machine, ...]) -> list[str]:
    """The members that fleet does not have, by name or address."""
    there = {machine.metadata.get("name", "") for machine in found} | {machine.ip for machine in found}
    return sorted(name for name, address in wanted.members.items() if not {name, address} & there)


def _counted(wanted: JoinedMachines, found: tuple[Machine, ...], missing: list[str]) -> str:
    rest = f"; missing members: {', '.join(missing)}" if missing else ""
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
            "`aws autoscaling describe-scaling-activities` shows why the Auto Scaling group launched too few workers"
        )
    lines.append("The app was not changed. To continue waiting, run `pulumi up`.")
    return "\n  ".join(lines)


class ReadyProvider(ResourceProvider):
    """Waits for the machines, and secures etcd. Inputs: ``connection``; ``size``; ``members``, name -> address, and
    ``instances``, name -> the id of its instance; ``timeout_sec``; ``open_dirs``, the directories of etcd that stay
    open to containers when its authentication is turned on; ``secured``, always true; ``allow_ssh_from``, the addresses
    that ssh is open to; ``workers``, left out if there are none: the name of their ``group``, the ``version`` of its
    launch template, ``timeout_sec``, in which a new version replaces all of them, and ``guard``, see `WindowGuard`, if
    windows hold that back. Outputs: the inputs, with the observed ``secured``, so that an `up` tries again."""

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse that a machine which keeps etcd's data leaves or moves. More may join."""
        before, after = (dict((props or {}).get("members") or {}) for props in (olds, news))
        failures = []
        if moved := moved_members(before, after):
            why = (
                f"{'; '.join(moved)}. etcd's data has the members' addresses in it, so the members would not find each "
                "other again. Undo the change of `fleetcaptain:network` or `fleetcaptain:zones`"
            )
            failures.append(CheckFailure("members", why))
        if after and before.keys() - after.keys():
            why = (
                f"this cluster's etcd has {len(before)} members and cannot have {len(after)}. Run `pulumi config set "
                f"fleetcaptain:members {len(before)}`, so that only the number of workers changes"
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
        """Wait. Raises DeadlineExceeded, and ClusterRefused when workers were not replaced; the next ``up`` waits
        again, and replaces those that are left."""
        if olds.get("instances") != news["instances"]:
            _forget_keys(news)
        workers = news.get("workers")
        if workers and workers["version"] != (olds.get("workers") or {}).get("version"):
            _wait_replaced(news["connection"], workers)
        return UpdateResult({**_known(news), "secured": _wait(news)})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The state at the end of the last wait."""
        known = _known(props)
        return ReadResult(id_, known, known)


def _forget_keys(props: Mapping[str, Any]) -> None:
    """Forget host keys: a new machine has new ones, and may have the address of an old machine."""
    file = Path(props["connection"]["known_hosts"])
    private_folder(file.parent)
    file.unlink(missing_ok=True)


def _wait_replaced(connection: Mapping[str, Any], workers: Mapping[str, Any]) -> None:
    group = WorkerGroup(lambda: aws_client("autoscaling", Connection.parse(connection)), workers["group"])
    try:
        group.refresh()
    except FleetCaptainError as error:
        warn(f"The app is deployed without waiting for the workers' replacement. {error}")
        return

    def guard() -> None:
        if data := workers.get("guard"):
            WindowGuard.from_data(data).check(time.time())

    wait_replaced(group, workers["version"], guard, status, float(workers["timeout_sec"]), cancelled=cancelled)


def _wait(props: Mapping[str, Any]) -> bool:
    """Wait for all machines; return whether etcd is secured."""
    cluster = handle_of(props["connection"]).connect("")

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
            f"etcd stays open to containers: the machines {', '.join(old)} have no certificate for fleet, because an "
            "earlier version made them, or do not answer. Renew them (docs/aws.md), then run `pulumi up` again."
        )
        return False
    access.enforce(props["open_dirs"])
    return True


def _known(props: Mapping[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in _INPUTS if key in props}


class ClusterReady(Resource):
    """The wait for a cluster; see `ReadyProvider`. The users of the cluster depend on it."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ClusterReady", name, props, opts)
