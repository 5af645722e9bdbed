"""A member is replaced only while all the others are healthy: never two are away at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleetcaptain.errors import ClusterRefused, ClusterUnreachable

__all__ = ["HEALTH", "refuse_second_loss"]

HEALTH = ["curl", "-sf", "-m", "5", "http://127.0.0.1:2379/health"]
"""A member's own etcd, as that machine sees it; it is healthy only while it knows a leader."""


def refuse_second_loss(renew: str, members: Mapping[str, str], run: Callable[[str, list[str]], int]) -> None:
    """Raise ClusterRefused when a member other than *renew* is not healthy. *members*: name -> address; *run* runs a
    command on the machine at an address, and gives its exit code."""
    sick = []
    for name, address in members.items():
        if name == renew:
            continue
        try:
            if run(address, HEALTH) != 0:
                sick.append(f"{name} ({address}): its etcd is not healthy")
        except ClusterUnreachable as error:
            sick.append(f"{name} ({address}): {error}")
    if sick:
        advice = "Mend it first, or renew that one: `pulumi config set fleetcaptain:renewMember NAME`."
        raise ClusterRefused(
            f"{renew} cannot be replaced now, for etcd may lose one member at a time; nothing was touched:",
            [*sick, advice],
        )
