"""fleet on a machine. Its API has no authentication, so it listens on a unix socket only, for the group ``core``."""

from __future__ import annotations

from fleetcaptain.machine.definition import Machine
from fleetcaptain.machine.machine_ports import CLIENT, CLIENT_TLS
from fleetcaptain.machine.tls import CA, user_files

__all__ = ["FLEET_SOCKET", "KEEP_MACHINE", "fleet_environment", "fleet_unit"]

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

# A killed fleetd leaves its machine's key behind, and a new fleetd does not start until the key expires: by then fleet
# has marked the machine as lost and moves its units. So the key must be removed first. But even a moment without it
# lets fleet's engine move the units, so the same value is first written under a name that sorts before the new key.
# fleet reads values, not names (its registry/machine.go), and ignores empty directories. The key of another machine
# with a copy of this id has another address and stays.
KEEP_MACHINE = r"""#!/bin/sh
# keep-machine ID ADDRESS: let a new fleetd register this machine while fleet's engine keeps its units here.
[ ! -S /run/etcd.sock ] || root='--unix-socket /run/etcd.sock'
ask() { curl -s -m 5 $root "$@"; }
machines=http://127.0.0.1:2379/v2/keys/_coreos.com/fleet/machines
key=$machines/$1/object
answer=$(ask "$key")
printf %s "$answer" | grep -qwF "$2" || exit 0
value=$(printf %s "$answer" | sed 's/.*"value":"\(.*\)","expiration".*/\1/; s/\\"/"/g; s/\\\\/\\/g')
ask -o /dev/null -X PUT -d ttl=10 --data-urlencode "value=$value" "$machines/-$1/object"
ask -o /dev/null -X DELETE "$key"
"""

_UNIT = """\
[Unit]
Description=fleet
Requires=fleet.socket dbus.socket
Wants=etcd.service etcd-root.service docker.service
After=fleet.socket dbus.socket etcd.service etcd-root.service docker.service
StartLimitIntervalSec=0

[Service]
EnvironmentFile=/etc/fleet/fleet.env
ExecStartPre=-/bin/sh /etc/fleet/keep-machine %m ${FLEET_PUBLIC_IP}
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
    cert, key = user_files("fleet")
    tls = {"ETCD_CAFILE": CA, "ETCD_CERTFILE": cert, "ETCD_KEYFILE": key} if machine.tls else {}
    settings = {
        "ETCD_SERVERS": f"https://127.0.0.1:{CLIENT_TLS}" if machine.tls else f"http://127.0.0.1:{CLIENT}",
        **tls,
        # The default of one second turns every election of a leader into errors.
        "ETCD_REQUEST_TIMEOUT": "5",
        "PUBLIC_IP": machine.advertised or machine.address,
        "METADATA": metadata,
        "ENABLE_GRPC": "false",
        "AGENT_TTL": f"{machine.agent_ttl_sec}s",
    }
    return "".join(f"FLEET_{name}={value}\n" for name, value in settings.items())
