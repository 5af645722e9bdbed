"""The real Ignition takes the user data of machines on EC2: it fetches and writes all of it, and nothing is refused.

Needs root, for namespaces of its own, and the program that `make test-ignition` builds.
"""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.aws.settings import read
from components.aws.topology import places, subnets
from components.aws.userdata import Surroundings, member, worker
from tests.programs import program
from tests.unit.aws.declared import CONFIG, ZONES
from tests.unit.aws.definitions import AROUND, OWN

_PROGRAMS = {name: f"the program {name}\n".encode() for name in AROUND.programs}
_BUCKET = AROUND.bucket
_HOSTS = [
    f"{_BUCKET}.s3.{where}.amazonaws.com"
    for region in ("us-east-1", "eu-west-1")
    for where in (region, f"dualstack.{region}")
]
_TIMEOUT_SEC = 300


@dataclass(frozen=True)
class Boot:
    """A first boot: its exit *code*, what Ignition *logged*, the *requests* it made, the new *root*, and the
    *definition* that it booted from."""

    code: int
    logged: str
    requests: tuple[str, ...]
    root: Path
    definition: dict[str, Any]

    def file(self, path: str) -> Path:
        """The file at *path* of the machine."""
        return self.root / path.lstrip("/")


def _definition(name: str) -> dict[str, Any]:
    sums = {name: hashlib.sha512(body).hexdigest() for name, body in _PROGRAMS.items()}
    around: Surroundings = replace(AROUND, programs=sums)
    settings = read({**CONFIG, "size": "8"}.get)
    everywhere = places(settings.members, subnets(settings.network, ZONES))
    if name == "worker":
        return dict(json.loads(worker(settings, everywhere, around)))
    return dict(json.loads(member(settings, everywhere, everywhere[0], around, OWN)))


@pytest.fixture(scope="module", params=["member", "worker"])
def boot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """The first boot of a machine."""
    folder, definition = tmp_path_factory.mktemp("boot"), _definition(request.param)
    return run(folder, definition, _objects(definition))


def _objects(definition: dict[str, Any]) -> dict[str, bytes]:
    """The bucket's objects that *definition* names: key -> bytes."""
    sources = [file["contents"]["source"] for file in definition["storage"]["files"]]
    keys = [urlsplit(source).path.lstrip("/") for source in sources if source.startswith("s3://")]
    return {key: _PROGRAMS.get(key.rpartition("/")[2], f"the object {key}\n".encode()) for key in keys}


def run(folder: Path, definition: dict[str, Any], objects: dict[str, bytes]) -> Boot:
    """Boot a machine in *folder* from *definition* with the *objects* of its bucket."""
    root = folder / "sysroot"
    (root / "etc/systemd/system").mkdir(parents=True)
    for name in ("passwd", "group", "shadow", "gshadow"):
        (root / "etc" / name).write_text(_ACCOUNTS[name])
    (root / "home/core").mkdir(parents=True)
    (folder / "user-data").write_text(json.dumps(definition))
    for key, body in objects.items():
        file = folder / "objects" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    (folder / "hosts").write_text("127.0.0.1 localhost " + " ".join(_HOSTS) + "\n")
    _certificates(folder)
    (folder / "requests").touch()
    inner = [sys.executable, "-m", "tests.ignition.ignition_stages", str(folder), str(program("ignition"))]
    done = subprocess.run(
        ["unshare", "--net", "--mount", *inner], capture_output=True, text=True, timeout=_TIMEOUT_SEC, check=False
    )
    requests = tuple((folder / "requests").read_text().splitlines())
    return Boot(done.returncode, done.stdout + done.stderr, requests, root, definition)


_ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\ncore:x:500:500:CoreOS Admin:/home/core:/bin/bash\n",
    "group": "root:x:0:\nsudo:x:150:\nsystemd-journal:x:248:\ndocker:x:233:\ncore:x:500:\n",
    "shadow": "root:*:15887:0:::::\ncore:*:15887:0:::::\n",
    "gshadow": "root:*::\nsudo:*::\nsystemd-journal:*::\ndocker:*::\ncore:*::\n",
}
"""As Flatcar has them before Ignition runs."""


def _certificates(folder: Path) -> None:
    """An authority, and a certificate of S3's hosts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "S3 of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in _HOSTS]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    for file in ("cert.pem", "authority.pem"):
        (folder / file).write_bytes(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)


def test_every_stage_succeeds(boot: Boot) -> None:
    """Without a warning about the definition."""
    assert boot.code == 0, boot.logged
    assert "warning at $" not in boot.logged, boot.logged


def test_user_data_is_read_by_version_2_of_the_metadata_service(boot: Boot) -> None:
    """A token first, then the data with it."""
    asked = [request.split()[1:4:2] for request in boot.requests if request.startswith("imds")]
    assert ["PUT", "/latest/api/token"] in asked
    assert any(path.endswith("/user-data") for _, path in asked)


def test_objects_are_fetched_with_the_machines_role(boot: Boot) -> None:
    """Each one, once at least; and S3 is asked for nothing else, such as a list of the bucket."""
    got = {
        request.split()[3].partition("?")[0].lstrip("/") for request in boot.requests if "AWS4-HMAC-SHA256" in request
    }
    assert got == set(_objects(boot.definition))
    assert {request.split()[1] for request in boot.requests if request.startswith("s3")} <= {"HEAD", "GET"}


def test_every_file_is_written(boot: Boot) -> None:
    """With its content and its mode: of `data:` sources, and of the bucket's."""
    objects = _objects(boot.definition)
    for file in boot.definition["storage"]["files"]:
        source = urlsplit(file["contents"]["source"])
        body = unquote_to_bytes(source.path.partition(",")[2]) if source.scheme == "data" else objects[source.path[1:]]
        written = boot.file(file["path"])
        assert written.read_bytes() == body, file["path"]
        assert stat.S_IMODE(written.stat().st_mode) == file["mode"], file["path"]


def test_every_unit_is_written_and_enabled(boot: Boot) -> None:
    """By a preset, which systemd applies at the first boot."""
    presets = (boot.root / "etc/systemd/system-preset/20-ignition.preset").read_text().splitlines()
    for unit in boot.definition["systemd"]["units"]:
        if "contents" in unit:
            assert boot.file(f"/etc/systemd/system/{unit['name']}").read_text() == unit["contents"]
        if "enabled" in unit:
            assert f"{'enable' if unit['enabled'] else 'disable'} {unit['name']}" in presets


def test_core_is_in_the_groups_that_it_needs(boot: Boot) -> None:
    """A user who connects as core may use docker, the journal and sudo."""
    lines = (boot.root / "etc/group").read_text().splitlines()
    members = {line.split(":")[0]: line.rpartition(":")[2].split(",") for line in lines}
    for group in ("sudo", "docker", "systemd-journal"):
        assert "core" in members[group], lines


def test_a_program_with_another_sum_is_refused(tmp_path: Path) -> None:
    """So an object that was changed is run by no machine."""
    definition = _definition("member")
    objects = {key: b"another program" if key.endswith("/etcd") else body for key, body in _objects(definition).items()}
    boot = run(tmp_path, definition, objects)
    assert boot.code != 0
    assert "hash verification failed" in boot.logged, boot.logged
