"""etcd's keys and certificates: the cluster's own authority, a pair for each member, one for all workers, and one for
each of etcd's users.

They are in the bucket, encrypted, each readable only by the roles of its machines, and Ignition itself fetches them, so
that a machine's etcd depends on no program of ours at boot. They are secrets in Pulumi's state, and never in user data,
which every process on a machine can read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws
import pulumi_tls as tls

from components.aws.binaries import Bucket
from components.aws.scope import Scope
from fleetcaptain.machine.tls import USERS

__all__ = ["make_keys"]

_KEY = tls.PrivateKeyArgs(algorithm="ECDSA", ecdsa_curve="P256")
# A machine fetches its certificate once; it must be valid longer than the machine lives.
_HOURS = 10 * 365 * 24
_RENEWED_HOURS = 2 * 365 * 24
_SERVER, _CLIENT = "server_auth", "client_auth"
_LOOPBACK = "127.0.0.1"


class _Authority:
    """Signs certificates that only this cluster's machines trust."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._key = tls.PrivateKey(scope.named("authority"), _KEY, opts=scope.child())
        self._certificate = tls.SelfSignedCert(
            scope.named("authority"),
            private_key_pem=self._key.private_key_pem,
            subject={"common_name": f"etcd of {scope.identity}"},
            is_ca_certificate=True,
            allowed_uses=["cert_signing", "crl_signing"],
            validity_period_hours=_HOURS,
            opts=scope.child(),
        )

    def pair(
        self, part: str, uses: Sequence[str], addresses: Sequence[pulumi.Input[str]] = (), user: str = ""
    ) -> Mapping[str, pulumi.Output[str]]:
        """The files of one machine, or of one *user* of etcd's: a certificate, its key, and the authority that it
        trusts."""
        key = tls.PrivateKey(self._scope.named(part), _KEY, opts=self._scope.child())
        request = tls.CertRequest(
            self._scope.named(part),
            private_key_pem=key.private_key_pem,
            subject={"common_name": user or part},
            ip_addresses=[*addresses, _LOOPBACK] if addresses else None,
            opts=self._scope.child(),
        )
        signed = tls.LocallySignedCert(
            self._scope.named(part),
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=self._key.private_key_pem,
            ca_cert_pem=self._certificate.cert_pem,
            allowed_uses=["digital_signature", "key_encipherment", *uses],
            validity_period_hours=_HOURS,
            early_renewal_hours=_RENEWED_HOURS,
            opts=self._scope.child(),
        )
        return {"ca.pem": self._certificate.cert_pem, "cert.pem": signed.cert_pem, "key.pem": key.private_key_pem}


def make_keys(
    scope: Scope, bucket: Bucket, members: Mapping[str, Sequence[pulumi.Input[str]]]
) -> Mapping[str, tuple[pulumi.Resource, ...]]:
    """Puts the keys into *bucket*. *members*: name -> the addresses that others connect to. Returns the objects of each
    member, of the ``workers``, and of the ``users``."""
    authority = _Authority(scope)
    made = {}
    for name, addresses in members.items():
        pair = authority.pair(name, [_SERVER, _CLIENT], addresses)
        made[name] = _put(scope, bucket, name, f"tls/members/{name}", pair)
    made["workers"] = _put(scope, bucket, "workers", "tls/workers", authority.pair("workers", [_CLIENT]))
    pairs = {user: authority.pair(f"user-{user}", [_CLIENT], user=user) for user in USERS}
    # Of no user: the machines decrypt the secrets of apps with it.
    pairs["secrets"] = authority.pair("user-secrets", ["key_agreement"])
    files = {f"{user}-{name}": text for user, pair in pairs.items() for name, text in pair.items() if name != "ca.pem"}
    made["users"] = _put(scope, bucket, "users", "tls/users", files)
    return made


def _put(
    scope: Scope, bucket: Bucket, part: str, folder: str, files: Mapping[str, pulumi.Output[str]]
) -> tuple[pulumi.Resource, ...]:
    secret = {name: text.apply(pulumi.Output.secret) for name, text in files.items()}
    return tuple(
        aws.s3.BucketObjectv2(
            scope.named(f"{part}-{name}"),
            bucket=bucket.name,
            key=f"{folder}/{name}",
            content=text,
            server_side_encryption="AES256",
            opts=scope.child(depends_on=[*bucket.before_machines]),
        )
        for name, text in secret.items()
    )
