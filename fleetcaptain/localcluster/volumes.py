"""The volumes with the data of etcd, docker and services, which outlive a machine's container."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import docker.errors

from fleetcaptain.localcluster.docker_client import LABEL, docker_errors, engine, find
from fleetcaptain.localcluster.drain import drain
from fleetcaptain.localcluster.layout import Layout

__all__ = ["KEPT_PATHS", "forget_member", "remove_container", "remove_machine", "remove_volume", "with_data"]

KEPT_PATHS = {"docker": "/var/lib/docker", "srv": "/srv"}
"""Kind of a volume -> the path of each machine at which it is. All else goes when a machine is made again."""


def with_data(layout: Layout) -> frozenset[str]:
    """The names of the machines that have etcd's data, running or not."""
    with docker_errors("list the volumes"):
        volumes = engine().volumes.list(filters={"label": f"{LABEL}={layout.identity}"})
    names = [str(volume.name).removeprefix(f"{layout.prefix}-") for volume in volumes]
    return frozenset(name.removesuffix("-etcd") for name in names if name.endswith("-etcd"))


def remove_container(container: Any) -> None:
    """Remove a machine but keep its data."""
    with docker_errors(f"remove {container.name}"):
        container.remove(force=True)


def remove_machine(container: Any) -> None:
    """Remove a machine and its data."""
    remove_container(container)
    for kind in (*KEPT_PATHS, "etcd"):
        remove_volume(f"{container.name}-{kind}")


def forget_member(layout: Layout, name: str) -> None:
    """Remove a machine's etcd data and its container: a member that joins must start without data."""
    for container in find(layout.identity, "machine"):
        if container.name == f"{layout.prefix}-{name}":
            drain(container)
            remove_container(container)
    remove_volume(f"{layout.prefix}-{name}-etcd")


def remove_volume(name: str) -> None:
    """Remove a volume, if it exists."""
    with docker_errors(f"remove the volume {name}"), suppress(docker.errors.NotFound):
        engine().volumes.get(name).remove(force=True)
