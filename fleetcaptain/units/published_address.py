"""The address of a service in shell lines: the machine's address, and the ports on the machine."""

from __future__ import annotations

from fleetcaptain.fleetfile.values import EVERY_ADDRESS, Port, ServiceSpec
from fleetcaptain.units.docker import DOCKER, container_name

__all__ = ["DIRECT", "HOST", "ask_docker", "host_word", "known_number"]

# curl connects to the machine directly, even if the unit's or the machine's variables name a proxy.
DIRECT = "no_proxy=*; export no_proxy;"
# The machine's own address as $host. If it is missing, the start fails and the journal names the variable.
HOST = f"{DIRECT} host=${{COREOS_PRIVATE_IPV4:?is not set in /etc/environment}};"


def host_word(port: Port | None) -> str:
    """The address of *port*: the one that it is published at, or the machine's."""
    return port.address if port and port.address and port.address not in EVERY_ADDRESS else "$host"


def known_number(spec: ServiceSpec, port: Port) -> int | None:
    """The machine's port if it is known in advance. None: docker picks it, and `ask_docker` gets it."""
    if spec.start is not None:
        return port.host or port.container
    return port.host if port.host_last is None else None


def ask_docker(port: Port, variable: str, app: str) -> str:
    """Shell that sets *variable* to the published address of *port*, as ``address:port``; fails if it is not published
    yet.

    The container is that of the unit that contains the line, a unit of *app*.
    """
    ask = f"{DOCKER} port {container_name(app)} {port.container}/{port.protocol} | head -n 1"
    return f'{variable}=$({ask}) && test "${variable}" &&'
