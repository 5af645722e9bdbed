"""The ports of a machine that services cannot have. Pure."""

from __future__ import annotations

from fleetcaptain.fleetfile.values import App, ServiceSpec
from fleetcaptain.machine.machine_ports import RESERVED

__all__ = ["reserved_ports"]


def reserved_ports(app: App) -> list[str]:
    """What is wrong: each service or task of *app* with a port that a program of the machine uses. A range counts with
    all of its ports, because docker may take any."""
    return [
        f"{_declared(spec, number)}port {number} of the machines is for {purpose}. "
        f"Publish another one, such as {number + 10000}"
        for spec in app.containers
        for port in spec.ports
        for number, purpose in RESERVED.items()
        if port.protocol == "tcp" and port.host is not None and port.host <= number <= (port.host_last or port.host)
    ]


def _declared(spec: ServiceSpec, number: int) -> str:
    """Who declares the port *number* of *spec*: the services that it leads to, if *spec* is the app's proxy."""
    public = dict.fromkeys(route.service for route in spec.routes if route.route.port == number)
    return f"{', '.join(public)}: public={number}: " if public else f"{spec.name}: "
