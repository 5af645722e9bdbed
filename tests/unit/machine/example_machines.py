"""The machines whose configurations the golden files hold, and what is in a configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from fleetcaptain.machine.definition import Binary, Forward, Machine, Member

__all__ = ["MACHINES", "MEMBER", "WORKER", "files", "units"]

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


def units(config: dict[str, Any]) -> dict[str, str]:
    """Name -> text."""
    return {unit["name"]: unit.get("contents", "") for unit in config["systemd"]["units"]}


def files(config: dict[str, Any]) -> dict[str, str]:
    """Path -> text, of those that carry it."""
    sources = {file["path"]: file["contents"]["source"] for file in config["storage"]["files"]}
    return {path: unquote(source[6:]) for path, source in sources.items() if source.startswith("data:,")}
