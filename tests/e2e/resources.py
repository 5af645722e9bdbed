"""What Docker has of a stack, by its label."""

from __future__ import annotations

import docker

from components.cluster.engine import LABEL

__all__ = ["resources_of"]


def resources_of(identity: str) -> list[str]:
    """The names of the containers, volumes and networks that carry the stack's label."""
    client = docker.from_env()
    label: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={identity}"}
    found = [str(container.name) for container in client.containers.list(all=True, filters=label)]
    found += [str(volume.name) for volume in client.volumes.list(filters=label)]
    found += [str(network.name) for network in client.networks.list(filters=label)]
    return found
