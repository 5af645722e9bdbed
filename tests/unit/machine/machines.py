"""The machines whose configurations the golden files hold."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.machine.values import Binary, Forward, Machine, Member

__all__ = ["MACHINES", "MEMBER", "WORKER"]

MEMBERS = tuple(Member(f"m{number}", f"10.0.0.1{number}") for number in (1, 2, 3))
BINARIES = (
    Binary("/opt/bin/etcd", "https://tools.example.org/etcd", "a" * 128),
    Binary("/opt/bin/fleetd", "https://tools.example.org/fleetd", "b" * 128),
)

MEMBER = Machine(
    name="m1",
    address="10.0.0.11",
    members=MEMBERS,
    ssh_keys=("ssh-ed25519 AAAA operator",),
    binaries=BINARIES,
    registry=Forward(5000, "10.0.0.2:5000"),
    metadata={"zone": "a", "name": "m1"},
)
WORKER = Machine(
    name="m4", address="10.0.0.14", members=MEMBERS, ssh_keys=("ssh-ed25519 AAAA operator",), binaries=BINARIES
)
MACHINES = {
    "member": MEMBER,
    "worker": WORKER,
    "member-tls": replace(MEMBER, tls=True),
    "worker-tls": replace(WORKER, tls=True),
}
