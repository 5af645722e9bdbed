"""Guards replacements: a member is replaced only while all others are healthy, so never two are down at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleetcaptain.errors import ClusterRefused, ClusterUnreachable
from fleetcaptain.machine.machine_ports import CLIENT

__all__ = ["HEALTH", "moved_members", "refuse_second_loss"]

HEALTH = ["curl", "-sf", "-m", "5", f"http://127.0.0.1:{CLIENT}/health"]
"""Asks a member's own etcd on its machine, which is healthy only while it has a leader; otherwise it answers with an
error."""


def moved_members(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The members of *before* (name -> address) that *after* has at another address, in words. Pure."""
    return [
        f"{name} would move from {address} to {after[name]}"
        for name, address in before.items()
        if after.get(name, address) != address
    ]


def refuse_second_loss(renew: str, members: Mapping[str, str], run: Callable[[str, list[str]], int]) -> None:
    """Raise ClusterRefused if a member other than *renew* is not healthy. *members*: name -> address; *run* runs a
    command on the machine at an address, and returns its exit code."""
    unhealthy = []
    for name, address in members.items():
        if name == renew:
            continue
        try:
            if run(address, HEALTH) != 0:
                unhealthy.append(f"{name} ({address}): its etcd is not healthy")
        except ClusterUnreachable as error:
            unhealthy.append(f"{name} ({address}): {error}")
    if unhealthy:
        advice = "Repair it first, or renew it instead: `pulumi config set fleetcaptain:renewMember NAME`."
        raise ClusterRefused(
            f"Cannot replace {renew} now: etcd may lose only one member at a time. Nothing was changed:",
            [*unhealthy, advice],
        )
