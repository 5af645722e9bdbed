"""Whether a local cluster is there, asked of Docker alone."""

from __future__ import annotations

from components.cluster.engine import find

__all__ = ["machines_running"]


def machines_running(identity: str) -> frozenset[str] | None:
    """The names (``m1``) of the stack's machines that run; None when it has no machines at all. Raises
    ClusterUnreachable."""
    machines = find(identity, "machine")
    if not machines:
        return None
    return frozenset(str(machine.name).rpartition("-")[2] for machine in machines if machine.status == "running")
