"""The certificates of a local cluster: its authority, one per machine and that for secrets, next to its SSH key.

They are not in Pulumi's state or a machine's definition, but are copied into the machines. The certificates of etcd's
users, who are clients only, are the same on every machine.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fleetcaptain.fleet.private_folder import private_folder

__all__ = [
    "authority_of",
    "ensure_authority",
    "ensure_machine_pair",
    "ensure_secrets_pair",
    "ensure_user_pair",
    "has_authority",
    "has_secrets_pair",
]

_CA, _SECRETS = "ca", "secrets"
_LIFE = timedelta(days=3650)
# The clocks of machines may differ a little.
_BEFORE = timedelta(hours=1)
# A member is a server and a client of the other members; every other machine is a client.
_USES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


# Machines are made in parallel and need the same users' pairs.
_making = threading.Lock()


def has_authority(folder: Path) -> bool:
    """Whether *folder* has an authority."""
    return _key(folder, _CA).exists() and _cert(folder, _CA).exists()


def ensure_authority(folder: Path, name: str) -> None:
    """Create an authority called *name* in *folder*, unless it has one."""
    if has_authority(folder):
        return
    private_folder(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(**dict.fromkeys(_KEY_USAGES, False) | {"key_cert_sign": True, "crl_sign": True})
    builder = _builder(_named(name), _named(name), key).add_extension(usage, critical=True)
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, SHA256())
    _write(folder, _CA, key, signed)


def has_secrets_pair(folder: Path) -> bool:
    """Whether *folder* has the pair of `ensure_secrets_pair`."""
    return _key(folder, _SECRETS).exists() and _cert(folder, _SECRETS).exists()


def ensure_secrets_pair(folder: Path) -> tuple[bytes, bytes]:
    """The certificate and key of `fleetcaptain.machine.secrets_key`, as PEM; created in *folder* if missing."""
    with _making:
        if not has_secrets_pair(folder):
            private_folder(folder)
            key, name = ec.generate_private_key(ec.SECP256R1()), _named("fleetcaptain secrets")
            _write(folder, _SECRETS, key, _builder(name, name, key).sign(key, SHA256()))
        return _cert(folder, _SECRETS).read_bytes(), _key(folder, _SECRETS).read_bytes()


def authority_of(folder: Path) -> bytes:
    """The authority's certificate, as PEM."""
    return _cert(folder, _CA).read_bytes()


def ensure_machine_pair(folder: Path, name: str, address: str) -> tuple[bytes, bytes]:
    """The certificate and key of the machine *name* at *address*, as PEM; created if missing."""
    names = [x509.DNSName(name), x509.IPAddress(ip_address(address)), x509.IPAddress(ip_address("127.0.0.1"))]
    return _pair(folder, name, _USES, [x509.SubjectAlternativeName(names)])


def ensure_user_pair(folder: Path, user: str) -> tuple[bytes, bytes]:
    """The certificate and key by which etcd identifies *user*, as PEM; created if missing."""
    return _pair(folder, user, (ExtendedKeyUsageOID.CLIENT_AUTH,), [])


def _pair(
    folder: Path, name: str, uses: Collection[x509.ObjectIdentifier], further: Collection[x509.ExtensionType]
) -> tuple[bytes, bytes]:
    with _making:
        if not (_key(folder, name).exists() and _cert(folder, name).exists()):
            key = ec.generate_private_key(ec.SECP256R1())
            issuer = x509.load_pem_x509_certificate(authority_of(folder))
            signer = load_pem_private_key(_key(folder, _CA).read_bytes(), None)
            builder = _builder(_named(name), issuer.subject, key)
            builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            for extension in (x509.ExtendedKeyUsage(uses), *further):
                builder = builder.add_extension(extension, critical=False)
            _write(folder, name, key, builder.sign(cast(ec.EllipticCurvePrivateKey, signer), SHA256()))
        return _cert(folder, name).read_bytes(), _key(folder, name).read_bytes()


def _cert(folder: Path, name: str) -> Path:
    return folder / f"{name}.pem"


def _key(folder: Path, name: str) -> Path:
    return folder / f"{name}-key.pem"


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    named = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    return named.not_valid_before(now - _BEFORE).not_valid_after(now + _LIFE)


def _write(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    """Write the key first, so that a certificate always has its key."""
    _cert(folder, name).unlink(missing_ok=True)
    path = _key(folder, name)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    _cert(folder, name).write_bytes(certificate.public_bytes(Encoding.PEM))
