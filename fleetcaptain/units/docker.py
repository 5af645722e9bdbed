"""The implicit docker lines of a service's unit."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleetcaptain.fleetfile.values import Port, ServiceSpec
from fleetcaptain.units.environment import passed_on, with_run
from fleetcaptain.units.quoting import Expanded, continued, exec_line, joined

__all__ = [
    "DOCKER",
    "container_name",
    "docker_kill",
    "docker_pull",
    "docker_remove",
    "docker_run",
    "docker_stop",
    "fixed_ports",
    "port_key",
]

DOCKER = "/usr/bin/docker"
_IMAGE = Expanded("${IMAGE}")
# With the machine's own network docker publishes nothing, and the run line names the ports in another way.
_HOST_NETWORK = re.compile(r"\s--net(?:work)?[= ](?:name=)?host(?=\s)")
_EXPOSED = re.compile(r"\s--expose ([0-9]+)(?:/(udp|tcp|sctp))?(?=\s)")
# Brackets, of an IPv6 address, stand in quotes.
_FIXED_PORT = re.compile(r"\s-p (?:[0-9.]+:|'\[[0-9A-Fa-f:.]+\]:)?([0-9]+):[0-9]+(?:/(udp|tcp|sctp))?'?(?=\s)")


def container_name(app: str) -> Expanded:
    """The name of a unit's container, with systemd's specifiers: ``fc.shop.%p.%i`` is ``fc.shop.web.1`` for ``web@1``.

    Units stop and remove this name and no other, so no two units may share one, whatever their apps are called. No name
    of an app or a service has a dot, so the parts cannot run into each other. Names that compose makes have no dot.
    """
    return Expanded(f"fc.{app}.%p.%i")


def docker_kill(app: str) -> tuple[str, ...]:
    """Clears away what a run that ended badly left behind. Nothing being there is the normal case, so failures pass."""
    return tuple("-" + exec_line([DOCKER, verb, container_name(app)]) for verb in ("kill", "rm"))


def docker_pull() -> tuple[str, ...]:
    """Fetches the image. A failure passes: the machine may have the image, and if not, ``docker run`` says so."""
    return ("-" + exec_line([DOCKER, "pull", _IMAGE]),)


def docker_run(spec: ServiceSpec, app: str) -> str:
    """The run line in the foreground, one option a line. The container is told who it is, and where etcd is.

    Words of the Fleetfile are letters, but for those that are an `Expand`. The labels are for people and
    their tools, as in ``docker ps --filter label=fleetcaptain.app=shop``: nothing here reads them.
    """
    return continued(
        [
            with_run(spec, app),
            [DOCKER, "run", "--rm", "--name", container_name(app)],
            *_each("--label", (f"fleetcaptain.app={app}", f"fleetcaptain.service={spec.name}")),
            *_ports(spec),
            *_each("-v", spec.volumes),
            *_each("-e", passed_on(spec)),
            *_each("-e", (joined(f"{name}=", value) for name, value in spec.env)),
            *_by_option(spec.docker_args),
            [_IMAGE, *spec.command],
        ]
    )


def docker_stop(spec: ServiceSpec, app: str) -> str:
    """Asks the container to end, and kills it after *stop_sec* seconds."""
    return exec_line([DOCKER, "stop", "-t", str(spec.stop_sec), container_name(app)])


def docker_remove(app: str) -> str:
    """Removes the container whatever it does. systemd runs no stop line for a start that failed: this ends that one."""
    return "-" + exec_line([DOCKER, "rm", "-fv", container_name(app)])


def port_key(port: Port) -> str:
    """What a registration calls the container's port: ``80``, or ``53/udp``."""
    return str(port.container) if port.protocol == "tcp" else f"{port.container}/{port.protocol}"


def fixed_ports(line: str) -> frozenset[str]:
    """The ports of the machine that a run *line* takes, as ``80/tcp``. A range, or one that docker picks, is none."""
    docker = line.partition(_IMAGE)[0]  # what follows is the container's own command
    form = _EXPOSED if _HOST_NETWORK.search(docker) else _FIXED_PORT
    return frozenset(f"{port}/{kind or 'tcp'}" for port, kind in form.findall(docker))


def _ports(spec: ServiceSpec) -> list[list[str]]:
    """docker publishes nothing in the machine's own network; there the ports are only named, for who reads the text."""
    if spec.host_network:
        return _each("--expose", map(port_key, spec.ports))
    return _each("-p", map(_published, spec.ports))


def _published(port: Port) -> str:
    host = "" if port.host is None else str(port.host)
    if port.host_last is not None:
        host += f"-{port.host_last}"
    address = f"[{port.address}]" if port.address and ":" in port.address else port.address
    before = f"{address}:{host}:" if address else f"{host}:" if host else ""
    return before + port_key(port)


def _by_option(words: Iterable[str]) -> list[list[str]]:
    """Each option with its value, so that a change is one line of a diff."""
    groups: list[list[str]] = []
    for word in words:
        if not groups or word.startswith("-"):
            groups.append([])
        groups[-1].append(word)
    return groups


def _each(option: str, words: Iterable[str]) -> list[list[str]]:
    return [[option, word] for word in words]
