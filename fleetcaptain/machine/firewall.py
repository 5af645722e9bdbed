"""Keeps the plain port of etcd off the network, where etcd speaks TLS.

Whoever can write etcd can run anything on every machine. What runs on a machine reaches its etcd without a
certificate all the same: fleetd and units at the loopback, containers at the machine's own address. So it is the way
in that counts, not the address: what comes from another machine is refused.
"""

from __future__ import annotations

__all__ = ["BEHIND_FIREWALL", "FIREWALL"]

_CHAIN = "fleetcaptain"
_PLAIN = "-p tcp --dport 2379"
# The loopback, docker's own bridge, and those of docker's networks.
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

# For the sections [Unit] of what listens on that port: without the firewall it does not start.
BEHIND_FIREWALL = "Requires=firewall.service\nAfter=firewall.service\n"
