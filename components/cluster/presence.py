"""Whether a local cluster is there, asked of Docker alone."""

from __future__ import annotations

from components.cluster.engine import find

__all__ = ["machines_running"]


def machines_running(identity: str) -> int | None:
    """How many machines of the stack run; None when it has no machines at all. Raises ClusterUnreachable."""
    machines = find(identity, "machine")
    if not machines:
        return None
    return len([machine for machine in machines if machine.status == "running"])
