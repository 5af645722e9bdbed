"""The volumes with the data of etcd, docker and services, which outlive a machine's container."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import docker.errors

from fleetcaptain.localcluster.docker_client import LABEL, docker_errors, engine, find
from fleetcaptain.localcluster.drain import drain
from fleetcaptain.localcluster.layout import Layout, prefix_of

__all__ = [
    "KEPT_PATHS",
    "forget_member",
    "kept_data",
    "remove_container",
    "remove_machine",
    "remove_volume",
    "with_data",
]

KEPT_PATHS = {"docker": "/var/lib/docker", "srv": "/srv"}
"""Kind of a volume -> the path of each machine at which it is. All else goes when a machine is made again."""


# What is in the volumes below /v, as <machine>/<kind>, of which docker's has a folder for each volume of a service.
_LIST = """cd /v || exit 1
for dir in */docker/volumes/*/_data */srv; do
  if [ -d "$dir" ] && [ -n "$(ls -A "$dir")" ]; then echo "$dir"; fi
done
"""
_FOUND = re.compile(r"(?P<machine>[^/]+)/(?:docker/volumes/(?P<volume>[^/]+)/_data|srv)")
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")


def kept_data(identity: str) -> dict[str, tuple[str, ...]]:
    """Machine -> its named volumes with files, and ``/srv`` if it has some; machines may be stopped. Empty without
    machines."""
    machines, prefix = find(identity, "machine"), f"{prefix_of(identity)}-"
    if not machines:
        return {}
    client = engine()
    with docker_errors("list the data on the machines"):
        there = {str(volume.name) for volume in client.volumes.list(filters={"label": f"{LABEL}={identity}"})}
        mounts = {
            name: {"bind": f"/v/{container.name.removeprefix(prefix)}/{kind}", "mode": "ro"}
            for container in machines
            for kind in KEPT_PATHS
            if (name := f"{container.name}-{kind}") in there
        }
        image = machines[0].attrs["Config"]["Image"]
        argv = ["sh", "-c", _LIST]
        output = client.containers.run(image, entrypoint=argv, volumes=mounts, network_mode="none", remove=True)
    found: dict[str, list[str]] = {}
    for match in filter(None, map(_FOUND.fullmatch, output.decode(errors="backslashreplace").splitlines())):
        if not _ANONYMOUS.fullmatch(match["volume"] or ""):
            found.setdefault(match["machine"], []).append(match["volume"] or KEPT_PATHS["srv"])
    return {machine: tuple(sorted(names)) for machine, names in sorted(found.items())}


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
