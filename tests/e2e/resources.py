"""What Docker has of a stack, by its label."""

from __future__ import annotations

from components.cluster.engine import LABEL, docker_errors, engine

__all__ = ["resources_of"]


def resources_of(identity: str) -> list[str]:
    """The names of the containers, volumes and networks that carry the stack's label. Raises ClusterUnreachable."""
    label: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={identity}"}
    with docker_errors(f"list what belongs to {identity}"):
        found = [str(container.name) for container in engine().containers.list(all=True, filters=label)]
        found += [str(volume.name) for volume in engine().volumes.list(filters=label)]
        found += [str(network.name) for network in engine().networks.list(filters=label)]
    return found
