"""From a machine's definition to the user data that it boots from, directly or through the bucket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.aws.binaries import Bucket
from components.aws.members import MemberNetwork
from components.aws.scope import Scope
from components.aws.settings import Settings
from components.aws.topology import MemberSlot
from fleetcaptain.errors import FleetCaptainError
from fleetcaptain.machine import ec2
from fleetcaptain.machine.definition import Binary, File, Machine, Member, Unit
from fleetcaptain.machine.ignition import ignition
from fleetcaptain.machine.secrets_key import SECRETS_CERT, SECRETS_KEY
from fleetcaptain.machine.tls import CA, CERT, KEY, USERS, user_files
from fleetcaptain.schedule.window_machines import WINDOWS_GROUP

__all__ = ["USER_DATA_BYTES", "Surroundings", "UserData", "checked", "fits", "member", "pointer", "text", "worker"]

USER_DATA_BYTES = 16 * 1024
"""What EC2 takes, before base64."""

_Definition = tuple[pulumi.Output[str], tuple[pulumi.Resource, ...]]
# The maximum lengths: values that are not known yet must not decide how a definition is delivered.
_LONGEST_BUCKET, _LONGEST_OWN, _LONGEST_REGISTRY = "b" * 63, ("vol-" + "0" * 17, "255.255.255.255"), "r" * 80


class UserData:
    """Creates the user data of each machine, and the objects that it needs in the bucket. *joined*: the members that
    join an etcd that is there."""

    def __init__(
        self,
        scope: Scope,
        settings: Settings,
        members: Sequence[MemberSlot],
        bucket: Bucket,
        *,
        registry: pulumi.Input[str],
        programs: Mapping[str, str],
        joined: Collection[str] = (),
    ) -> None:
        self.joined = joined
        self._scope, self._settings, self._members, self._bucket = scope, settings, members, bucket
        region, token = aws.get_region().region, scope.identity.replace("/", "-")
        self._draft = Surroundings(region, _LONGEST_BUCKET, programs, _LONGEST_REGISTRY, token)
        self._around = pulumi.Output.all(bucket.name, registry).apply(
            lambda known: Surroundings(region, known[0], programs, known[1], token)
        )

    def member(self, place: MemberSlot, network: MemberNetwork) -> _Definition:
        """For the member at *place*."""

        def define(around: Surroundings, own: tuple[str, str]) -> str:
            joins = place.name in self.joined
            return member(self._settings, self._members, place, around, own, joins=joins)

        known = pulumi.Output.all(self._around, network.volume_id, network.public)
        definition = known.apply(lambda all_: define(all_[0], (all_[1], all_[2])))
        return self._carried(place.name, definition, lambda: define(self._draft, _LONGEST_OWN))

    def worker(self, *, of_windows: bool = False) -> _Definition:
        """For every worker; see `worker`."""

        def define(around: Surroundings) -> str:
            return worker(self._settings, self._members, around, of_windows=of_windows)

        part = "windows" if of_windows else "worker"
        return self._carried(part, self._around.apply(define), lambda: define(self._draft))

    def _carried(self, part: str, definition: pulumi.Output[str], longest: Callable[[], str]) -> _Definition:
        if fits(longest()):
            return definition.apply(checked), ()
        key = definition.apply(lambda text: f"config/{part}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json")
        put = aws.s3.BucketObjectv2(
            self._scope.named(f"{part}-config"),
            bucket=self._bucket.name,
            key=key,
            content=definition,
            content_type="application/json",
            opts=self._scope.child(depends_on=[*self._bucket.before_machines]),
        )
        known = pulumi.Output.all(self._bucket.name, key, definition)
        return known.apply(lambda all_: checked(pointer(all_[0], all_[1], all_[2]))), (put,)


@dataclass(frozen=True)
class Surroundings:
    """What the machines share: *region*, the *bucket* with the *programs* (name -> sha512 in hex) below ``bin/`` and
    the keys below ``tls/``, the ECR *registry* and the *token* that distinguishes clusters."""

    region: str
    bucket: str
    programs: Mapping[str, str]
    registry: str
    token: str


def member(
    settings: Settings,
    all_: Sequence[MemberSlot],
    place: MemberSlot,
    around: Surroundings,
    own: tuple[str, str],
    *,
    joins: bool = False,
) -> str:
    """The definition of the member at *place*. *own*: its volume's id, and its public address. *joins*: it joins the
    members before it."""
    volume_id, public = own
    is_renewed = settings.renew == place.name
    if joins and not is_renewed:
        # etcd refuses a list that differs from its own, in which those after it are not yet.
        all_ = all_[: all_.index(place) + 1]
    machine = Machine(
        name=place.name,
        address=place.address,
        metadata={"name": place.name, "zone": place.subnet.zone, "role": "member"},
        advertised=public if settings.advertised == "public" else "",
        # A discovery service knows how many members there were, and refuses more.
        discovery_url="" if joins else settings.discovery_url,
        # A replaced machine finds its data and needs no discovery. Without its data it must know that it is not the
        # first.
        etcd_state="existing" if is_renewed or joins else "new",
        **_common(all_, around, f"members/{place.name}", [ec2.volume(volume_id)]),
    )
    return text(ignition(machine))


def worker(settings: Settings, all_: Sequence[MemberSlot], around: Surroundings, *, of_windows: bool = False) -> str:
    """The one definition of all workers, or of all those *of_windows*, whose metadata says so."""
    metadata = ["role=worker", *(["=".join(WINDOWS_GROUP)] if of_windows else [])]
    more = [ec2.address(",".join(metadata), settings.advertised), ec2.drain(around.region)]
    return text(ignition(Machine(name="", address="", **_common(all_, around, "workers", more))))


def _common(
    all_: Sequence[MemberSlot],
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
        File(SECRETS_CERT, source=f"{where}/tls/users/secrets-cert.pem"),
        File(SECRETS_KEY, source=f"{where}/tls/users/secrets-key.pem", mode=0o600),
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
    """*config* as sent: the shortest JSON, always the same."""
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
    """*user_data*. Raises FleetCaptainError if EC2 would refuse it."""
    if not fits(user_data):
        raise FleetCaptainError(
            f"The user data of a machine has {len(user_data.encode())} bytes, but EC2 allows {USER_DATA_BYTES}. "
            "This is a bug in FleetCaptain: report it."
        )
    return user_data
