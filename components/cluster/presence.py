"""Whether a local cluster is there, asked of Docker alone."""

from __future__ import annotations

from components.cluster.engine import find

__all__ = ["machines_running"]


def machines_running(identity: str) -> bool | None:
    """Whether a machine of the stack runs; None when it has no machines at all. Raises ClusterUnreachable."""
    machines = find(identity, "machine")
    if not machines:
        return None
    return any(machine.status == "running" for machine in machines)
