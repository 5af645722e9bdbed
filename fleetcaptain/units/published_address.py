"""Where a service answers, in the words of the shell lines: the machine's address, and the ports on the machine."""

from __future__ import annotations

from fleetcaptain.fleetfile.values import EVERY_ADDRESS, Port, ServiceSpec
from fleetcaptain.units.docker import DOCKER, container_name

__all__ = ["DIRECT", "HOST", "ask_docker", "host_word", "known_number"]

# curl asks the machine itself, whatever proxy the variables of the unit or of the machine name.
DIRECT = "no_proxy=*; export no_proxy;"
# The machine's own address as $host. A machine without one is set up wrongly, and the journal says so.
HOST = f"{DIRECT} host=${{COREOS_PRIVATE_IPV4:?is not set in /etc/environment}};"


def host_word(port: Port | None) -> str:
    """The address that *port* is reached at: the one it is published on, or the machine's."""
    return port.address if port and port.address and port.address not in EVERY_ADDRESS else "$host"


def known_number(spec: ServiceSpec, port: Port) -> int | None:
    """The machine's port when it is known beforehand. None: docker picks it, and `ask_docker` finds it out."""
    if spec.start is not None:
        return port.host or port.container
    return port.host if port.host_last is None else None


def ask_docker(port: Port, variable: str, app: str) -> str:
    """Shell that puts what *port* is published at into *variable*, as ``address:port``; it fails when it is not yet.

    The container is that of the unit whose line it is, a unit of *app*.
    """
    ask = f"{DOCKER} port {container_name(app)} {port.container}/{port.protocol} | head -n 1"
    return f'{variable}=$({ask}) && test "${variable}" &&'
