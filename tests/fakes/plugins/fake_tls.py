"""The stand-in for pulumi-tls: real keys and certificates, on elliptic curves, which are quick to make."""

from __future__ import annotations

import datetime
import ipaddress
import uuid
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fakes.plugins.inputs import Given
from tests.fakes.plugins.resource_types import Kind, Made, Plugin, nothing, words

__all__ = ["PLUGIN"]

_SUBJECT = {
    "commonName": NameOID.COMMON_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
}
_CURVES: Mapping[str, Callable[[], ec.EllipticCurve]] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}
_USES = {
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
}
_EXTENDED = {"server_auth": ExtendedKeyUsageOID.SERVER_AUTH, "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH}


def _private_key(given: Given) -> Made:
    if given["algorithm"] != "ECDSA":
        raise ValueError(f"the stand-in makes no key of {given['algorithm']}")
    key = ec.generate_private_key(_CURVES[given.get("ecdsaCurve", "P224")]())
    public = key.public_key()
    pem, ssh = serialization.Encoding.PEM, serialization.Encoding.OpenSSH
    form = serialization.PublicFormat
    outputs = {
        "privateKeyPem": _pem(key, serialization.PrivateFormat.TraditionalOpenSSL),
        "privateKeyPemPkcs8": _pem(key, serialization.PrivateFormat.PKCS8),
        "privateKeyOpenssh": _pem(key, serialization.PrivateFormat.OpenSSH),
        "publicKeyPem": public.public_bytes(pem, form.SubjectPublicKeyInfo).decode(),
        "publicKeyOpenssh": public.public_bytes(ssh, form.OpenSSH).decode() + "\n",
    }
    return Made(uuid.uuid4().hex, outputs)


def _pem(key: ec.EllipticCurvePrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _key_of(pem: str) -> Any:
    return serialization.load_pem_private_key(pem.encode(), None)


def _name(subject: Mapping[str, str] | None) -> x509.Name:
    pairs = [x509.NameAttribute(_SUBJECT[key], value) for key, value in (subject or {}).items()]
    return x509.Name(pairs)


def _alternatives(given: Given) -> x509.SubjectAlternativeName | None:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in given.get("dnsNames", [])]
    names += [x509.IPAddress(ipaddress.ip_address(one)) for one in given.get("ipAddresses", [])]
    return x509.SubjectAlternativeName(names) if names else None


def _self_signed(given: Given) -> Made:
    key, subject = _key_of(given["privateKeyPem"]), _name(given.get("subject"))
    builder = _certificate(given, subject, subject, key.public_key())
    alternatives = _alternatives(given)
    if alternatives:
        builder = builder.add_extension(alternatives, critical=False)
    return _signed(builder, key)


def _request(given: Given) -> Made:
    key = _key_of(given["privateKeyPem"])
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(given.get("subject")))
    alternatives = _alternatives(given)
    if alternatives:
        builder = builder.add_extension(alternatives, critical=False)
    signed = builder.sign(key, hashes.SHA256())
    return Made(uuid.uuid4().hex, {"certRequestPem": signed.public_bytes(serialization.Encoding.PEM).decode()})


def _locally_signed(given: Given) -> Made:
    request = x509.load_pem_x509_csr(given["certRequestPem"].encode())
    authority = x509.load_pem_x509_certificate(given["caCertPem"].encode())
    key = _key_of(given["caPrivateKeyPem"])
    if authority.public_key() != key.public_key():
        raise ValueError("caCertPem is not the certificate of caPrivateKeyPem")
    builder = _certificate(given, request.subject, authority.subject, request.public_key())
    for extension in request.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return _signed(builder, key)


def _certificate(given: Given, subject: x509.Name, issuer: x509.Name, public: Any) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    uses = given["allowedUses"]
    unknown = sorted(set(uses) - set(_USES) - set(_EXTENDED))
    if unknown:
        raise ValueError(f"the stand-in knows no use {', '.join(unknown)}")
    usage = {_USES[use]: True for use in uses if use in _USES}
    none = dict.fromkeys([*_USES.values(), "encipher_only", "decipher_only"], False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(hours=given["validityPeriodHours"]))
        .add_extension(x509.KeyUsage(**(none | usage)), critical=True)
        .add_extension(x509.BasicConstraints(ca=given.get("isCaCertificate", False), path_length=None), critical=True)
    )
    extended = [_EXTENDED[use] for use in uses if use in _EXTENDED]
    return builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False) if extended else builder


def _signed(builder: x509.CertificateBuilder, key: Any) -> Made:
    made = builder.sign(key, hashes.SHA256())
    outputs = {
        "certPem": made.public_bytes(serialization.Encoding.PEM).decode(),
        "validityStartTime": made.not_valid_before_utc.isoformat(),
        "validityEndTime": made.not_valid_after_utc.isoformat(),
        "readyForRenewal": False,
    }
    return Made(str(made.serial_number), outputs)


_ALL = words(
    "algorithm allowedUses caCertPem caPrivateKeyPem certRequestPem dnsNames ecdsaCurve ipAddresses "
    "isCaCertificate privateKeyPem rsaBits setAuthorityKeyId setSubjectKeyId subject uris "
    "validityPeriodHours"
)
"""Each of a certificate's inputs replaces it, but for the time of its renewal."""

_UNMET = words("earlyRenewalHours setAuthorityKeyId setSubjectKeyId rsaBits")

PLUGIN = Plugin(
    version("pulumi-tls"),
    {
        "tls:index/privateKey:PrivateKey": Kind(_private_key, nothing, _ALL, unmet=_UNMET),
        "tls:index/selfSignedCert:SelfSignedCert": Kind(_self_signed, nothing, _ALL, unmet=_UNMET),
        "tls:index/certRequest:CertRequest": Kind(_request, nothing, _ALL, unmet=_UNMET),
        "tls:index/locallySignedCert:LocallySignedCert": Kind(_locally_signed, nothing, _ALL, unmet=_UNMET),
    },
)
