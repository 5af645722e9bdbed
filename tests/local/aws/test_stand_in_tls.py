"""The stand-in for the tls plugin makes certificates that OpenSSL takes: their sizes and contents are real ones."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.plugins.fake_tls import PLUGIN
from tests.local.aws.plugin_client import Asking, Refusal
from tests.programs import program


def _key(engine: Asking) -> str:
    inputs = {"algorithm": "ECDSA", "ecdsaCurve": "P256"}
    return str(engine.create("tls:index/privateKey:PrivateKey", inputs)[1]["privateKeyPem"])


def _authority(engine: Asking, key: str) -> str:
    inputs = {
        "privateKeyPem": key,
        "subject": {"commonName": "authority"},
        "isCaCertificate": True,
        "validityPeriodHours": 24,
        "allowedUses": ["cert_signing"],
    }
    return str(engine.create("tls:index/selfSignedCert:SelfSignedCert", inputs)[1]["certPem"])


def _leaf(engine: Asking, authority: str, authority_key: str) -> str:
    request: dict[str, Any] = {
        "privateKeyPem": _key(engine),
        "subject": {"commonName": "m1"},
        "ipAddresses": ["10.0.0.11"],
    }
    inputs = {
        "certRequestPem": engine.create("tls:index/certRequest:CertRequest", request)[1]["certRequestPem"],
        "caCertPem": authority,
        "caPrivateKeyPem": authority_key,
        "validityPeriodHours": 24,
        "allowedUses": ["digital_signature", "server_auth", "client_auth"],
    }
    return str(engine.create("tls:index/locallySignedCert:LocallySignedCert", inputs)[1]["certPem"])


def test_a_certificate_is_good_for_its_authority_and_its_address(tmp_path: Path) -> None:
    """And for another authority, or another address, it is not."""
    engine = Asking(PLUGIN)
    key = _key(engine)
    authority = _authority(engine, key)
    (tmp_path / "ca.pem").write_text(authority)
    (tmp_path / "other.pem").write_text(_authority(engine, _key(engine)))
    (tmp_path / "m1.pem").write_text(_leaf(engine, authority, key))

    def verified(*argv: str) -> bool:
        command = [str(program("openssl")), "verify", "-purpose", "sslserver", *argv, "m1.pem"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0

    assert verified("-CAfile", "ca.pem", "-verify_ip", "10.0.0.11")
    assert not verified("-CAfile", "ca.pem", "-verify_ip", "10.0.0.12")
    assert not verified("-CAfile", "other.pem")


def test_a_certificate_is_signed_by_the_key_of_its_authority() -> None:
    """The real plugin refuses a key that is not the authority's, too."""
    engine = Asking(PLUGIN)
    with pytest.raises(Refusal, match="not the certificate of"):
        _leaf(engine, _authority(engine, _key(engine)), _key(engine))
