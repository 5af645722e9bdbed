"""What the services of a Fleetfile ask of the network: ports between machines, and ports for the public. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from fleetcaptain.fleetfile.values import App, Http, ServiceSpec, Tcp

__all__ = ["Opening", "Public", "openings", "public_services"]

# Where docker takes a free port from: the kernel's net.ipv4.ip_local_port_range.
_FREE = (32768, 60999)


@dataclass(frozen=True, order=True)
class Opening:
    """The ports *first* to *last* of a *protocol* (``tcp``, ``udp``)."""

    protocol: str
    first: int
    last: int


@dataclass(frozen=True)
class Public:
    """A *service* that the public reaches at the balancer's *port*. It answers at the port *target* of machines that
    have it, and is ready when *check_port* accepts connections or, if *path* is not empty, answers it."""

    service: str
    scheme: str
    port: int
    target: int
    check_port: int
    path: str = ""


def openings(app: App) -> tuple[Opening, ...]:
    """Every port of a machine at which other machines may find a service of *app*."""
    found = set()
    for spec in app.services:
        for port in spec.ports:
            if port.address is None or not ip_address(port.address).is_loopback:
                first, last = (port.host, port.host_last or port.host) if port.host else _FREE
                found.add(Opening(port.protocol, first, last))
    return tuple(sorted(found))


def public_services(app: App) -> tuple[Public, ...]:
    """The services of *app* that have a port for the public."""
    return tuple(_public(spec, spec.public) for spec in app.services if spec.public is not None)


def _public(spec: ServiceSpec, number: int) -> Public:
    target = spec.ports[0].host or 0  # the Fleetfile's checks ask for one
    on_machine = {port.container: port.host for port in spec.ports if port.host and not port.host_last}
    match spec.ready:
        case Http(path, inside):
            scheme = "https" if spec.ready.https else "http"
            return Public(spec.name, scheme, number, target, _check_port(on_machine, inside, target), path)
        case Tcp(inside):
            return Public(spec.name, "tcp", number, target, _check_port(on_machine, inside, target))
    return Public(spec.name, "tcp", number, target, target)


def _check_port(on_machine: Mapping[int, int], inside: int | None, target: int) -> int:
    """The machine's port of the container's port *inside*; one that is not published is the machine's own."""
    return target if inside is None else on_machine.get(inside, inside)
