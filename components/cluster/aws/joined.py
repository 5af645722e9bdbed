"""Waiting until every machine has joined the cluster. Time and the cluster are handed in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleetcaptain.errors import ClusterUnreachable, DeadlineExceeded, Interrupted
from fleetcaptain.fleet.values import Machine

__all__ = ["JoinedMachines", "wait_joined"]

_PAUSE_SEC = 2.0


@dataclass(frozen=True)
class JoinedMachines:
    """Those that are waited for: *size* of them, with *members* (name -> address) on *instances* (name -> id)."""

    size: int
    members: Mapping[str, str]
    instances: Mapping[str, str]


def wait_joined(
    wanted: JoinedMachines,
    look: Callable[[], tuple[Machine, ...]],
    report: Callable[[str], None],
    timeout_sec: float,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when all of *wanted* are there. *look* gives the machines in fleet, and raises ClusterUnreachable while
    nothing answers.

    Raises DeadlineExceeded with what is missing and how to look at it, and Interrupted.
    """
    deadline, last = clock() + timeout_sec, ""
    while True:
        try:
            found, why = look(), ""
        except ClusterUnreachable as error:
            found, why = (), str(error)
        missing = _missing(wanted, found)
        if not why and not missing and len(found) >= wanted.size:
            return
        line = "waiting for etcd and fleet to answer" if why else _counted(wanted, found, missing)
        if line != last:
            report(line)
            last = line
        if cancelled():
            raise Interrupted(f"stopped while {line}; `pulumi up` goes on waiting")
        if clock() > deadline:
            raise DeadlineExceeded(_told(wanted, timeout_sec, why or line, missing))
        sleep(_PAUSE_SEC)


def _missing(wanted: JoinedMachines, found: tuple[Machine, ...]) -> list[str]:
    """The members that fleet does not have, by name or address."""
    there = {machine.metadata.get("name", "") for machine in found} | {machine.ip for machine in found}
    return sorted(name for name, address in wanted.members.items() if not {name, address} & there)


def _counted(wanted: JoinedMachines, found: tuple[Machine, ...], missing: list[str]) -> str:
    rest = f"; members that are missing: {', '.join(missing)}" if missing else ""
    return f"{len(found)} of {wanted.size} machines are in fleet{rest}"


def _told(wanted: JoinedMachines, timeout_sec: float, what: str, missing: list[str]) -> str:
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
