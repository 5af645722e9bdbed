"""The implicit docker lines of a service's unit."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from fleetcaptain.errors import UnitRefused
from fleetcaptain.fleetfile.values import Port, ServiceSpec
from fleetcaptain.units.environment import passed_on, with_run
from fleetcaptain.units.quoting import Expanded, continued, exec_line

__all__ = [
    "CONTAINER",
    "DOCKER",
    "docker_kill",
    "docker_pull",
    "docker_remove",
    "docker_run",
    "docker_stop",
    "port_key",
]

DOCKER = "/usr/bin/docker"
_IMAGE = Expanded("${IMAGE}")
CONTAINER = Expanded("%p-%i")
"""The container's name in systemd's words: ``app_server-1``."""


def docker_kill() -> tuple[str, ...]:
    """Clears away what a run that ended badly left behind. Nothing being there is the normal case, so failures pass."""
    return tuple("-" + exec_line([DOCKER, verb, CONTAINER]) for verb in ("kill", "rm"))


def docker_pull() -> tuple[str, ...]:
    """Fetches the image. A failure passes: the machine may have the image, and if not, ``docker run`` says so."""
    return ("-" + exec_line([DOCKER, "pull", _IMAGE]),)


def docker_run(spec: ServiceSpec) -> str:
    """The run line in the foreground, one option a line. The container is told who it is, and where etcd is.

    Words of the Fleetfile are taken literally: a ``$`` or ``%`` in them is not expanded.
    """
    return continued(
        [
            with_run(),
            [DOCKER, "run", "--rm", "--name", CONTAINER],
            *_each("-p", map(_published, spec.ports)),
            *_each("-v", spec.volumes),
            *_each("-e", passed_on(spec)),
            *_each("-e", (f"{name}={value}" for name, value in spec.env)),
            *(_split(spec, line) for line in spec.docker_args),
            [_IMAGE, *_split(spec, spec.command or "")],
        ]
    )


def docker_stop(spec: ServiceSpec) -> str:
    """Asks the container to end, and kills it after *stop_sec* seconds."""
    return exec_line([DOCKER, "stop", "-t", str(spec.stop_sec), CONTAINER])


def docker_remove() -> str:
    """Removes the container whatever it does. systemd runs no stop line for a start that failed: this ends that one."""
    return "-" + exec_line([DOCKER, "rm", "-fv", CONTAINER])


def port_key(port: Port) -> str:
    """What a registration calls the container's port: ``80``, or ``53/udp``."""
    return str(port.container) if port.protocol == "tcp" else f"{port.container}/{port.protocol}"


def _published(port: Port) -> str:
    host = "" if port.host is None else str(port.host)
    if port.host_last is not None:
        host += f"-{port.host_last}"
    before = f"{port.address}:{host}:" if port.address else f"{host}:" if host else ""
    return before + port_key(port)


def _each(option: str, words: Iterable[str]) -> list[list[str]]:
    return [[option, word] for word in words]


def _split(spec: ServiceSpec, line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UnitRefused(
            f"The service {spec.name} cannot be rendered:",
            [f"{line!r} is no command line ({error}); balance its quotes"],
        ) from error
