"""etcd on a machine: a member with the v2 keys that fleet needs, or a gateway to the members.

It has three endpoints. Port 2379 is for units and containers, which are guests when authentication is on; port 2378 of
the loopback is TLS, for fleetd; `ROOT_SOCKET` is for deployments. With TLS all of them serve HTTP with the v2 API only,
because every client of the v3 API may add members. The v3 API is gRPC, for clients on the machine with a certificate.
etcd's authentication of the v3 API is no option: once it is on, the v2 API changes no members for any user.
"""

from __future__ import annotations

from fleetcaptain.machine.definition import Machine
from fleetcaptain.machine.firewall import BEHIND_FIREWALL
from fleetcaptain.machine.machine_ports import CLIENT, CLIENT_TLS, GRPC, PEER
from fleetcaptain.machine.tls import CA, member_options, user_files

__all__ = ["ROOT_SOCKET", "etcd_unit", "members_unit", "root_unit"]

ROOT_SOCKET = "/run/etcd.sock"
"""etcd with its superuser's rights, for the group ``core``, which is root on every machine anyway by fleet's socket."""

_UNIT = """\
[Unit]
Description=etcd
After=network-online.target
Wants=network-online.target
{needs}StartLimitIntervalSec=0

[Service]
{service}
Restart=always
RestartSec=1
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""

_FORWARD = """\
[Unit]
Description={description}
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def etcd_unit(machine: Machine) -> str:
    """The text of ``etcd.service``: on every machine etcd answers on port 2379 of the loopback and of its address."""
    service = _member(machine) if machine.is_member else _gateway(machine)
    return _UNIT.format(needs=BEHIND_FIREWALL if machine.tls else "", service="\n".join(service))


def root_unit(machine: Machine) -> str:
    """The text of ``etcd-root.service``, which listens on `ROOT_SOCKET`."""
    cert, key = user_files("root")
    tls = f"OPENSSL:127.0.0.1:{CLIENT_TLS},cafile={CA},cert={cert},key={key}"
    listen = f"UNIX-LISTEN:{ROOT_SOCKET},fork,unlink-early,mode=0660,user=root,group=core"
    command = f"/usr/bin/socat {listen} {tls if machine.tls else f'TCP:127.0.0.1:{CLIENT}'}"
    return _FORWARD.format(description="etcd, for who deploys", command=command)


def members_unit(machine: Machine) -> str:
    """The text of ``etcd-members.service`` on a machine that is not a member: etcd over TLS on the loopback, as on
    members."""
    return _FORWARD.format(description="etcd of the members, over TLS", command=_to_members(machine, CLIENT_TLS))


def _member(machine: Machine) -> list[str]:
    peer = "https" if machine.tls else "http"
    peers = ",".join(f"{member.name}={peer}://{member.address}:{PEER}" for member in machine.members)
    advertised = machine.advertised or machine.address
    options = {
        "NAME": machine.name,
        "DATA_DIR": "/var/lib/etcd",
        # fleet speaks only the v2 API, which etcd 3.6 no longer has.
        "ENABLE_V2": "true",
        "LISTEN_CLIENT_URLS": f"http://127.0.0.1:{CLIENT},http://{machine.address}:{CLIENT}",
        "ADVERTISE_CLIENT_URLS": f"http://{advertised}:{CLIENT}",
        "LISTEN_PEER_URLS": f"{peer}://{machine.address}:{PEER}",
        "INITIAL_ADVERTISE_PEER_URLS": f"{peer}://{machine.address}:{PEER}",
        "INITIAL_CLUSTER": peers,
        "INITIAL_CLUSTER_STATE": machine.etcd_state,
        "INITIAL_CLUSTER_TOKEN": machine.etcd_token,
    }
    if machine.discovery_url:
        # etcd accepts only one of the two ways to find the others.
        options = {name: value for name, value in options.items() if not name.startswith("INITIAL_CLUSTER")}
        options["DISCOVERY"] = machine.discovery_url
    if machine.tls:
        tls = f"https://127.0.0.1:{CLIENT_TLS},https://{machine.address}:{CLIENT_TLS}"
        options["LISTEN_CLIENT_HTTP_URLS"] = f"{options['LISTEN_CLIENT_URLS']},{tls}"
        options["LISTEN_CLIENT_URLS"] = f"https://127.0.0.1:{GRPC}"
        options["ENABLE_GRPC_GATEWAY"] = "false"
        options["ADVERTISE_CLIENT_URLS"] = f"https://{advertised}:{CLIENT_TLS}"
        options.update(member_options())
    environment = [f"Environment=ETCD_{name}={value}" for name, value in options.items()]
    # An election may take longer than systemd's default timeout, and a member waits for the others.
    return ["Type=notify", "TimeoutStartSec=0", *environment, "ExecStart=/opt/bin/etcd"]


def _gateway(machine: Machine) -> list[str]:
    return [f"ExecStart={_to_members(machine, CLIENT, '0.0.0.0')}"]  # noqa: S104  containers find it there


def _to_members(machine: Machine, port: int, at: str = "127.0.0.1") -> str:
    endpoints = ",".join(f"{member.address}:{port}" for member in machine.members)
    return f"/opt/bin/etcd gateway start --listen-addr={at}:{port} --endpoints={endpoints}"
