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
    # A container that is being removed has no name any more.
    names = [machine["Names"][0] for machine in machines if machine["State"] == "running" and machine["Names"]]
    return frozenset(name.rpartition("-")[2] for name in names)
