"""Keeps the plain port of etcd off the network, where etcd uses TLS.

A client that can write etcd can run anything on every machine. Programs on a machine reach its etcd without a
certificate: fleetd and units at the loopback, containers at the machine's own address. So the firewall decides by the
interface, not by the address: it rejects connections from other machines.
"""

from __future__ import annotations

__all__ = ["BEHIND_FIREWALL", "FIREWALL"]

_CHAIN = "fleetcaptain"
_PLAIN = "-p tcp --dport 2379"
# The loopback, docker's default bridge, and the bridges of docker's networks.
_INSIDE = ("lo", "docker+", "br-+")

_STEPS = (
    f"iptables -w -N {_CHAIN} || iptables -w -F {_CHAIN}",
    *(f"iptables -w -A {_CHAIN} -i {interface} -j RETURN" for interface in _INSIDE),
    f"iptables -w -A {_CHAIN} -p tcp -j REJECT --reject-with tcp-reset",
    f"iptables -w -C INPUT {_PLAIN} -j {_CHAIN} || iptables -w -I INPUT {_PLAIN} -j {_CHAIN}",
)

FIREWALL = f"""\
[Unit]
Description=Keeps etcd's plain port off the network
DefaultDependencies=no
After=local-fs.target
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec '{"; ".join(_STEPS)}'

[Install]
WantedBy=multi-user.target
"""

# For the [Unit] section of units that listen on that port: without the firewall they do not start.
BEHIND_FIREWALL = "Requires=firewall.service\nAfter=firewall.service\n"
