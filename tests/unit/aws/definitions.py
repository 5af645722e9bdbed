"""The definitions of machines on AWS that the golden files hold."""

from __future__ import annotations

import json
from typing import Any

from components.aws.settings import read
from components.aws.topology import places, subnets
from components.aws.userdata import Surroundings, member, worker
from tests.unit.aws.declared import CONFIG, ZONES

__all__ = ["AROUND", "MACHINES", "OWN", "defined"]

AROUND = Surroundings(
    "eu-west-1",
    "cluster-boot-0123456",
    {"etcd": "a" * 128, "fleetctl": "b" * 128, "fleetd": "c" * 128},
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "fleetcaptain-prod",
)
OWN = ("vol-0123456789abcdef0", "203.0.113.7")


def defined(name: str, *, joins: bool = False, **config: str) -> dict[str, Any]:
    """The definition of the machine *name*; all but m1 to m5 are workers, and ``windows`` is one of windows. *joins*: a
    member joins those before it."""
    settings = read({**CONFIG, "size": "8", **config}.get)
    everywhere = places(settings.members, subnets(settings.network, ZONES))
    place = next((place for place in everywhere if place.name == name), None)
    if place is None:
        return dict(json.loads(worker(settings, everywhere, AROUND, of_windows=name == "windows")))
    return dict(json.loads(member(settings, everywhere, place, AROUND, OWN, joins=joins)))


MACHINES = {
    "member": defined("m1"),
    "worker": defined("worker"),
    "worker-of-windows": defined("windows"),
    "member-public-discovery": defined(
        "m1", advertisedIpAddress="public", discoveryUrl="https://discovery.example.org/0"
    ),
}
