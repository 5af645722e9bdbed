"""etcd over TLS between machines.

Members require a certificate from each other and from every other machine, on `CLIENT_TLS` and the peers' port. The
plain port 2379 stays for programs on the machine itself (fleetd, units, containers); `fleetcaptain.machine.firewall`
keeps it off the network.
"""

from __future__ import annotations

from collections.abc import Mapping

from fleetcaptain.machine.definition import Machine
from fleetcaptain.machine.firewall import BEHIND_FIREWALL
from fleetcaptain.machine.machine_ports import CLIENT_TLS

__all__ = ["CA", "CERT", "GATEWAY_SOCKET", "KEY", "USERS", "gateway_unit", "member_options", "user_files"]

CA, CERT, KEY = (f"/etc/fleetcaptain/tls/{name}.pem" for name in ("ca", "cert", "key"))

USERS = ("root", "fleet")
"""etcd's users with a certificate of the cluster; see `fleetcaptain.discovery.access`."""

GATEWAY_SOCKET = f"""\
[Unit]
Description=etcd, of the members
{BEHIND_FIREWALL}
[Socket]
ListenStream=0.0.0.0:2379
Accept=yes
MaxConnections=4096
MaxConnectionsPerSource=4096

[Install]
WantedBy=sockets.target
"""

_GATEWAY = """\
[Unit]
Description=Passes a connection on to an etcd member, over TLS
CollectMode=inactive-or-failed

[Service]
StandardInput=socket
StandardOutput=socket
StandardError=journal
ExecStart=/bin/sh -c '{tries}'
"""


def user_files(user: str) -> tuple[str, str]:
    """The paths of the certificate and the key of one of `USERS`; only root can read them."""
    return f"/etc/fleetcaptain/tls/{user}.pem", f"/etc/fleetcaptain/tls/{user}-key.pem"


def member_options() -> Mapping[str, str]:
    """The TLS options of a member's etcd, without the prefix ``ETCD_``."""
    files = {"TRUSTED_CA_FILE": CA, "CERT_FILE": CERT, "KEY_FILE": KEY}
    own = {"CLIENT_CERT_AUTH": "true", **files}
    return {**own, **{f"PEER_{name}": value for name, value in own.items()}}


def gateway_unit(machine: Machine) -> str:
    """The text of ``etcd@.service``, one per connection, which goes to the first member that answers. etcd's own
    gateway forwards plain bytes, so it cannot add TLS."""
    pem = f"cafile={CA},cert={CERT},key={KEY},connect-timeout=2"
    tries = " || ".join(f"ask {member.address}" for member in machine.members)
    # socat that cannot connect fails before it reads anything, so the next one gets the whole request.
    define = f'ask() {{ socat - "OPENSSL:$1:{CLIENT_TLS},{pem}"; }}'
    return _GATEWAY.format(tries=f"{define}; {tries}".replace("$", "$$"))
