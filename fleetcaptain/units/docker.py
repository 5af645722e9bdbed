"""The implicit docker lines of a service's unit."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleetcaptain.fleetfile.values import Port, ServiceSpec
from fleetcaptain.units.agent_calls import port_key, secret_file, variables_file
from fleetcaptain.units.quoting import Expanded, continued, joined

__all__ = [
    "DOCKER",
    "container_name",
    "docker_remove",
    "docker_run",
    "docker_stop",
    "fixed_ports",
    "kept_volumes",
    "written_volumes",
]

DOCKER = "/usr/bin/docker"
_IMAGE = Expanded("${IMAGE}")
# With the machine's network docker publishes nothing, and the run line has the ports in --expose.
_HOST_NETWORK = re.compile(r"\s--net(?:work)?[= ](?:name=)?host(?=\s)")
_EXPOSED = re.compile(r"\s--expose ([0-9]+)(?:/(udp|tcp|sctp))?(?=\s)")
# The brackets of an IPv6 address are quoted.
_FIXED_PORT = re.compile(r"\s-p (?:[0-9.]+:|'\[[0-9A-Fa-f:.]+\]:)?([0-9]+):[0-9]+(?:/(udp|tcp|sctp))?'?(?=\s)")
_VOLUME = re.compile(r"\s(?:-v|--volume)[ =]'?([^:\s']+):([^\s']+)")
_DRIVER = re.compile(r"\s--volume-driver[ =]|\bvolume-driver=")
_MOUNT = re.compile(r"\s--mount[ =]'?([^\s']+)")
# Paths of the machine with its own interfaces, settings and programs: what several containers may have at once.
_NO_DATA = re.compile(
    r"/+(?:(?:bin|boot|dev|etc|lib|lib64|proc|run|sbin|sys|tmp|usr|var/run|var/tmp)(?:/.*)?|.*\.sock)?"
)


def container_name(app: str) -> Expanded:
    """The name of a unit's container, with systemd's specifiers: ``fc.shop.%p.%i`` is ``fc.shop.web.1`` for ``web@1``.

    Units stop and remove the container with this name, so it must be unique across apps. App and service names have no
    dot, so the parts are unambiguous. Names of docker compose have no dot either.
    """
    return Expanded(f"fc.{app}.%p.%i")


def docker_run(spec: ServiceSpec, app: str) -> str:
    """The ``docker run`` line in the foreground, one option per line; the agent's file of variables has the container's
    identity and etcd's address. It pulls the image if the machine does not have it.

    ``--init``: a program that is process 1 and does not handle SIGTERM ignores it, and each stop would take *stop_sec*
    seconds. It comes first, so ``--init=false`` in *docker_args* wins: docker reads the last one.

    Words of the Fleetfile are literal, except those that are an `Expand`. The labels are for operators and their tools,
    as in ``docker ps --filter label=fleetcaptain.app=shop``; FleetCaptain does not read them.
    """
    return continued(
        [
            [DOCKER, "run", "--rm", "--init", "--name", container_name(app), "--env-file", variables_file(app)],
            ["--label", f"fleetcaptain.app={app}", "--label", f"fleetcaptain.service={spec.name}"],
            *_ports(spec),
            *_each("-v", spec.volumes),
            *_each("-e", (joined(f"{name}=", value) for name, value in spec.env)),
            # Their values are variables of docker's own process, so no argument has them.
            *_each("-e", spec.secrets),
            *_each("--mount", _secret_files(spec, app)),
            *_by_option(spec.docker_args),
            [_IMAGE, *spec.command],
        ]
    )


def docker_stop(spec: ServiceSpec, app: str) -> tuple[str, ...]:
    """The words that stop the container, and kill it after *stop_sec* seconds."""
    return (DOCKER, "stop", "-t", str(spec.stop_sec), container_name(app))


def docker_remove(app: str) -> tuple[str, ...]:
    """The words that remove the container in any state. systemd runs no stop line after a failed start, so this line
    ends it."""
    return (DOCKER, "rm", "-fv", container_name(app))


def fixed_ports(line: str) -> frozenset[str]:
    """The fixed ports of the machine that a run *line* publishes, as ``80/tcp``; without ranges and ports that docker
    picks."""
    docker = line.partition(_IMAGE)[0]  # the rest is the container's command
    form = _EXPOSED if _HOST_NETWORK.search(docker) else _FIXED_PORT
    return frozenset(f"{port}/{kind or 'tcp'}" for port, kind in form.findall(docker))


def written_volumes(line: str) -> frozenset[str]:
    """The named volumes and the machine's paths of data that the container of a run *line* can write to; not its
    sockets, devices, settings and temporary files."""
    return frozenset(name for name in _written(line) if not _NO_DATA.fullmatch(name))


def kept_volumes(line: str) -> tuple[str, ...]:
    """The named volumes of the machine that the container of a run *line* can write to. With another volume driver the
    data may be elsewhere, on the network."""
    if _DRIVER.search(line.partition(_IMAGE)[0]):
        return ()
    return tuple(sorted(name for name in _written(line) if not name.startswith("/")))


def _written(line: str) -> set[str]:
    docker = line.partition(_IMAGE)[0]
    found = {source for source, rest in _VOLUME.findall(docker) if "ro" not in rest.partition(":")[2].split(",")}
    for mount in _MOUNT.findall(docker):
        fields = dict(field.partition("=")[::2] for field in mount.split(","))
        if not {"readonly", "ro"} & fields.keys():
            found.add(fields.get("src") or fields.get("source") or "")
    return found - {""}


def _ports(spec: ServiceSpec) -> list[list[str]]:
    """docker publishes nothing in the machine's network; there ``--expose`` only documents the ports."""
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


def _secret_files(spec: ServiceSpec, app: str) -> list[str]:
    """With ``-v`` docker would make a folder where the file is missing, and the container would start with it. Paths
    have no comma, which separates the fields here."""
    return [
        joined("type=bind,src=", secret_file(app, number), f",dst={path},readonly")
        for number, (path, _) in enumerate(spec.secret_files, 1)
    ]


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
