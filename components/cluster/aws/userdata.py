"""The machines' definitions on AWS, and how they get there: as user data, or from the bucket when they are too long.
Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.cluster.aws.plan import Place
from components.cluster.aws.settings import Settings
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.machine import ec2
from fleetcaptain.machine.ignition import ignition
from fleetcaptain.machine.tls import CA, CERT, KEY, USERS, user_files
from fleetcaptain.machine.values import Binary, File, Machine, Member, Unit

__all__ = ["USER_DATA_BYTES", "Surroundings", "checked", "fits", "member", "pointer", "text", "worker"]

USER_DATA_BYTES = 16 * 1024
"""What EC2 takes, before base64."""


@dataclass(frozen=True)
class Surroundings:
    """What the machines share: *region*, the *bucket* with the *programs* (name -> sha512 in hex) below ``bin/`` and
    the keys below ``tls/``, the ECR *registry* and the *token* by which clusters are told apart."""

    region: str
    bucket: str
    programs: Mapping[str, str]
    registry: str
    token: str


def member(settings: Settings, all_: Sequence[Place], place: Place, around: Surroundings, own: tuple[str, str]) -> str:
    """The definition of the member at *place*. *own*: its volume's id, and the address that it has for the world."""
    volume_id, public = own
    machine = Machine(
        name=place.name,
        address=place.address,
        metadata={"name": place.name, "zone": place.subnet.zone, "role": "member"},
        advertised=public if settings.advertised == "public" else "",
        discovery_url=settings.discovery_url,
        # A machine that comes in the place of another one finds its data, and asks no more. Without its data it has to
        # be told that it is not the first.
        etcd_state="existing" if settings.renew == place.name else "new",
        **_common(all_, around, f"members/{place.name}", [ec2.volume(volume_id)]),
    )
    return text(ignition(machine))


def worker(settings: Settings, all_: Sequence[Place], around: Surroundings) -> str:
    """The one definition of all workers."""
    more = [ec2.address("role=worker", settings.advertised), ec2.drain()]
    return text(ignition(Machine(name="", address="", **_common(all_, around, "workers", more))))


def _common(
    all_: Sequence[Place],
    around: Surroundings,
    keys: str,
    more: Sequence[tuple[tuple[File, ...], tuple[Unit, ...]]],
) -> dict[str, Any]:
    parts = [*more, ec2.login(around.registry, around.region)]
    where = f"s3://{around.bucket}"
    tls = (
        File(CA, source=f"{where}/tls/{keys}/ca.pem"),
        File(CERT, source=f"{where}/tls/{keys}/cert.pem"),
        File(KEY, source=f"{where}/tls/{keys}/key.pem", mode=0o600),
        *(file for user in USERS for file in _user_files(user, f"{where}/tls/users")),
    )
    return {
        "members": tuple(Member(place.name, place.address) for place in all_),
        "ssh_keys": (),  # EC2's key pair, which Flatcar takes from the metadata service
        "binaries": tuple(
            Binary(f"/opt/bin/{name}", f"{where}/bin/{sha512[:16]}/{name}", sha512)
            for name, sha512 in sorted(around.programs.items())
        ),
        "etcd_token": around.token,
        "tls": True,
        "files": (ec2.updates(), *tls, *(file for files, _ in parts for file in files)),
        "units": tuple(unit for _, units in parts for unit in units),
    }


def _user_files(user: str, where: str) -> tuple[File, ...]:
    cert, key = user_files(user)
    return File(cert, source=f"{where}/{user}-cert.pem"), File(key, source=f"{where}/{user}-key.pem", mode=0o600)


def text(config: Mapping[str, Any]) -> str:
    """*config* as it is sent: the shortest JSON, always the same."""
    return json.dumps(config, separators=(",", ":"), sort_keys=True)


def fits(definition: str) -> bool:
    """Whether *definition* can be user data as it is."""
    return len(definition.encode()) <= USER_DATA_BYTES


def pointer(bucket: str, key: str, definition: str) -> str:
    """User data that replaces itself by *definition*, which is in the *bucket* at *key*."""
    sum_ = hashlib.sha512(definition.encode()).hexdigest()
    replace = {"source": f"s3://{bucket}/{key}", "verification": {"hash": f"sha512-{sum_}"}}
    return text({"ignition": {"version": "3.3.0", "config": {"replace": replace}}})


def checked(user_data: str) -> str:
    """*user_data*. Raises FleetCaptainError when EC2 would refuse it."""
    if not fits(user_data):
        raise FleetCaptainError(
            f"a machine's user data has {len(user_data.encode())} bytes, and EC2 takes {USER_DATA_BYTES}: "
            "this is a mistake in FleetCaptain, please report it"
        )
    return user_data
