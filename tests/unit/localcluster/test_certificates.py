"""The certificates of a local cluster."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fleetcaptain.localcluster.certificates import (
    ensure_authority,
    ensure_machine_pair,
    ensure_user_pair,
    has_authority,
)


def certificate(folder: Path, name: str, address: str) -> x509.Certificate:
    """The one of a machine."""
    return x509.load_pem_x509_certificate(ensure_machine_pair(folder, name, address)[0])


def test_a_machine_is_known_by_name_and_address(tmp_path: Path) -> None:
    """And may be a server as well as a client."""
    ensure_authority(tmp_path / "tls", "stack")
    made = certificate(tmp_path / "tls", "m1", "10.0.0.11")
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.11", "127.0.0.1"]
    uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {use._name for use in uses} == {"serverAuth", "clientAuth"}


def test_a_user_of_etcd_is_known_by_name_and_is_a_client_only(tmp_path: Path) -> None:
    """A certificate that is on every machine must not be a server's."""
    ensure_authority(tmp_path, "stack")
    made = x509.load_pem_x509_certificate(ensure_user_pair(tmp_path, "root")[0])
    assert made.subject.rfc4514_string() == "CN=root"
    uses = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {use._name for use in uses} == {"clientAuth"}


def test_another_stacks_authority_knows_none_of_them(tmp_path: Path) -> None:
    """Each has its own."""
    for name in ("ours", "theirs"):
        ensure_authority(tmp_path / name, name)
    made = certificate(tmp_path / "ours", "m1", "10.0.0.11")
    ours, theirs = (
        x509.load_pem_x509_certificate((tmp_path / name / "ca.pem").read_bytes()) for name in ("ours", "theirs")
    )
    made.verify_directly_issued_by(ours)
    with pytest.raises((ValueError, InvalidSignature)):
        made.verify_directly_issued_by(theirs)


def test_what_is_made_once_stays(tmp_path: Path) -> None:
    """A machine would be made anew for another certificate."""
    ensure_authority(tmp_path, "stack")
    first = ensure_machine_pair(tmp_path, "m1", "10.0.0.11")
    ensure_authority(tmp_path, "stack")
    assert ensure_machine_pair(tmp_path, "m1", "10.0.0.11") == first
    assert ensure_machine_pair(tmp_path, "m2", "10.0.0.12") != first


def test_a_pair_that_was_half_made_is_made_again(tmp_path: Path) -> None:
    """By a run that was killed."""
    ensure_authority(tmp_path, "stack")
    (tmp_path / "ca.pem").unlink()
    assert not has_authority(tmp_path)
    ensure_authority(tmp_path, "stack")
    ensure_machine_pair(tmp_path, "m1", "10.0.0.11")
    (tmp_path / "m1.pem").unlink()
    certificate(tmp_path, "m1", "10.0.0.11")


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    """As ssh's are."""
    folder = tmp_path / "tls"
    ensure_authority(folder, "stack")
    ensure_machine_pair(folder, "m1", "10.0.0.11")
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*-key.pem")} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_pair_that_several_machines_need_at_once_is_one(tmp_path: Path) -> None:
    """They are made side by side, and those with another key than their certificate's could not ask etcd."""
    ensure_authority(tmp_path, "test")
    for user in ("root", "fleet", "a", "b", "c"):
        with ThreadPoolExecutor(8) as pool:
            pairs = list(pool.map(lambda name: ensure_user_pair(tmp_path, name), [user] * 8))
        assert len(set(pairs)) == 1
        cert, key = pairs[0]
        public = load_pem_private_key(key, None).public_key()
        assert x509.load_pem_x509_certificate(cert).public_key() == public
