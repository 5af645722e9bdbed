"""Whether a local cluster is there, asked of Docker alone."""

from __future__ import annotations

from components.cluster.engine import LABEL, ROLE, docker_errors, engine

__all__ = ["machines_running"]


def machines_running(identity: str) -> frozenset[str] | None:
    """The names (``m1``) of the stack's machines that run; None when it has no machines at all. Raises
    ClusterUnreachable."""
    labels = [f"{LABEL}={identity}", f"{ROLE}=machine"]
    # One call of Docker's API: each resource that Pulumi refreshes asks this.
    with docker_errors("list the containers"):
        machines = engine().api.containers(all=True, filters={"label": labels})
    if not machines:
        return None
    return frozenset(machine["Names"][0].rpartition("-")[2] for machine in machines if machine["State"] == "running")
