"""fleet on a machine. Its API has no authentication, so it listens on a unix socket only, for the group ``core``."""

from __future__ import annotations

from fleetcaptain.machine.values import Machine

__all__ = ["FLEET_SOCKET", "fleet_environment", "fleet_unit"]

FLEET_SOCKET = """\
[Unit]
Description=fleet API socket
PartOf=fleet.service

[Socket]
ListenStream=/run/fleet.sock
SocketMode=0660
SocketUser=root
SocketGroup=core

[Install]
WantedBy=sockets.target
"""

# A fleetd that was killed leaves its machine's key behind, and the next one is refused as long as that lives: by then
# fleet has taken the machine for lost, and moves its units. So its own key goes first; that of a
# machine with a copy of its id, which has another address, stays.
_UNIT = """\
[Unit]
Description=fleet
Requires=fleet.socket dbus.socket
Wants=etcd.service docker.service
After=fleet.socket dbus.socket etcd.service docker.service
StartLimitIntervalSec=0

[Service]
EnvironmentFile=/etc/fleet/fleet.env
ExecStartPre=-/bin/sh -c 'key=http://127.0.0.1:2379/v2/keys/_coreos.com/fleet/machines/%m/object; \\
  curl -s -m 5 "$$key" | grep -qwF "$$FLEET_PUBLIC_IP" && curl -s -o /dev/null -m 5 -X DELETE "$$key"'
ExecStart=/opt/bin/fleetd
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
"""


def fleet_unit() -> str:
    """The text of ``fleet.service``."""
    return _UNIT


def fleet_environment(machine: Machine) -> str:
    """The settings of fleetd (fleet's deployment-and-configuration.md)."""
    metadata = ",".join(f"{key}={value}" for key, value in sorted(machine.metadata.items()))
    settings = {
        "ETCD_SERVERS": "http://127.0.0.1:2379",
        # The default of one second turns every election of a leader into errors.
        "ETCD_REQUEST_TIMEOUT": "5",
        "PUBLIC_IP": machine.advertised or machine.address,
        "METADATA": metadata,
        "ENABLE_GRPC": "false",
        "AGENT_TTL": f"{machine.agent_ttl_sec}s",
    }
    return "".join(f"FLEET_{name}={value}\n" for name, value in settings.items())
