"""Thin calls of Docker for the local cluster, and errors with a remedy."""

from __future__ import annotations

import functools
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from fleetcaptain.errors import ClusterUnreachable, FleetCaptainError

__all__ = ["LABEL", "ROLE", "docker_errors", "engine", "exec_in", "find", "image_of", "machines_running", "put"]

LABEL = "fleetcaptain.stack"
ROLE = "fleetcaptain.role"


@functools.cache
def engine() -> docker.DockerClient:
    """The engine of this computer. Raises ClusterUnreachable when none answers."""
    with docker_errors("start Docker"):
        client = docker.from_env(timeout=120)
        client.ping()
        return client


@contextmanager
def docker_errors(doing: str) -> Iterator[None]:
    """Raise Docker's errors as FleetCaptain's; *doing* completes "Could not ..."."""
    try:
        yield
    except docker.errors.APIError as error:
        raise FleetCaptainError(f"Could not {doing}: {error.explanation or error}") from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise ClusterUnreachable(
            f"The Docker engine of this computer does not answer: {_short(error)}\n"
            "Start it with `systemctl start docker` or `make tools`, then run the same command again."
        ) from error


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def find(identity: str, role: str | None = None) -> list[Any]:
    """The containers of a stack, including stopped ones, sorted by name."""
    labels = [f"{LABEL}={identity}"] + ([f"{ROLE}={role}"] if role else [])
    with docker_errors("list the containers"):
        found = engine().containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    return sorted(found, key=lambda container: str(container.name))


def machines_running(identity: str) -> frozenset[str] | None:
    """The names (``m1``) of the stack's running machines; None if it has no machines. Raises ClusterUnreachable."""
    labels = [f"{LABEL}={identity}", f"{ROLE}=machine"]
    # One call of Docker's API: each resource that Pulumi refreshes calls this.
    with docker_errors("list the containers"):
        machines = engine().api.containers(all=True, filters={"label": labels})
    if not machines:
        return None
    # A container that is being removed has no name.
    names = [machine["Names"][0] for machine in machines if machine["State"] == "running" and machine["Names"]]
    return frozenset(name.rpartition("-")[2] for name in names)


def exec_in(container: Any, *argv: str) -> tuple[int, str]:
    """Run a command inside a container. Returns its exit code and output, or 1 and the reason if it cannot run."""
    try:
        code, output = container.exec_run(list(argv))
    except docker.errors.APIError as error:
        return 1, str(error.explanation or error)
    return int(code), output.decode(errors="replace")


def put(container: Any, data: bytes) -> None:
    """Unpack the tar *data* at the container's root."""
    with docker_errors(f"put files into {container.name}"):
        container.put_archive("/", data)


def image_of(folder: Path, tag: str) -> None:
    """Build the image *tag* from *folder* unless it exists. Raises FleetCaptainError with the failed step."""
    client = engine()
    with docker_errors(f"look for the image {tag}"):
        if client.images.list(name=tag):
            return
        if not client.images.list(name="debian:trixie"):
            raise FleetCaptainError(
                "Could not build the machines' image: the Docker engine has no image debian:trixie. Run `make "
                "tools`, which pulls or builds it."
            )
    with docker_errors(f"build the image {tag}"):
        try:
            client.images.build(fileobj=io.BytesIO(_tar(folder)), custom_context=True, tag=tag, rm=True, forcerm=True)
        except docker.errors.BuildError as error:
            output = [line.get("stream", line.get("error", "")).rstrip() for line in error.build_log]
            last = "\n  ".join([line for line in output if line][-15:])
            raise FleetCaptainError(f"Failed to build the machines' image: {error.msg}\n  {last}") from error


def _tar(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False)
    return buffer.getvalue()
