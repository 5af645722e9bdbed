"""The registry's forwarder: systemd's proxy, started by the first connection."""

from __future__ import annotations

from fleetcaptain.machine.definition import Forward

__all__ = ["registry_service", "registry_socket"]

_SOCKET = """\
[Unit]
Description=The cluster's image registry

[Socket]
ListenStream=127.0.0.1:{port}

[Install]
WantedBy=sockets.target
"""

_SERVICE = """\
[Unit]
Description=Passes connections on to the cluster's image registry
Requires=registry.socket
After=registry.socket

[Service]
ExecStart=/usr/lib/systemd/systemd-socket-proxyd {target}
"""


def registry_socket(forward: Forward) -> str:
    """The text of ``registry.socket``."""
    return _SOCKET.format(port=forward.port)


def registry_service(forward: Forward) -> str:
    """The text of ``registry.service``."""
    return _SERVICE.format(target=forward.target)
