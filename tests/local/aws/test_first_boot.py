"""The user data of machines leads to things that are there, are the right ones, and may be read by them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.local.aws.scenario import ADDRESSES, Story

_WORKERS = ["fleetcaptain-prod-worker", "fleetcaptain-prod-windows"]
_MACHINES = [*_WORKERS, *(f"fleetcaptain-prod-{member}" for member in ADDRESSES)]
_USER_DATA_BYTES = 16384


def _sources(story: Story, machine: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What Ignition fetches from S3 on *machine*: path on the machine -> the source."""
    definition = json.loads(story.account.user_data[machine])
    replaced = definition["ignition"].get("config", {}).get("replace")
    if replaced:
        yield "", replaced
        definition = json.loads(_fetched(story, replaced))
    for file in definition["storage"]["files"]:
        if file["contents"]["source"].startswith("s3://"):
            yield file["path"], file["contents"]


def _fetched(story: Story, contents: dict[str, Any]) -> bytes:
    where = urlsplit(contents["source"])
    return story.account.objects[where.netloc, where.path.removeprefix("/")]


@pytest.mark.parametrize("machine", _MACHINES)
def test_user_data_fits_and_holds_no_key(story: Story, machine: str) -> None:
    """Everything on a machine can read its user data."""
    text = story.account.user_data[machine]
    assert len(text.encode()) <= _USER_DATA_BYTES
    assert "PRIVATE KEY" not in unquote(text)


@pytest.mark.parametrize("machine", _MACHINES)
def test_what_a_machine_fetches_is_there_and_is_what_it_checks_for(story: Story, machine: str) -> None:
    """fleetd and its certificates at least; a program's sum is in the definition."""
    sources = dict(_sources(story, machine))
    assert {"/opt/bin/fleetd", "/etc/fleetcaptain/tls/key.pem"} <= set(sources)
    for path, contents in sources.items():
        body = _fetched(story, contents)
        if path.startswith("/opt/bin/"):
            assert contents["verification"]["hash"] == f"sha512-{hashlib.sha512(body).hexdigest()}", path


@pytest.mark.parametrize("machine", _MACHINES)
def test_a_machine_may_read_what_it_fetches_and_not_the_keys_of_other_kinds(story: Story, machine: str) -> None:
    """By its role's own policy: moto itself would give anything to anybody."""
    kind = "workers" if machine in _WORKERS else "members"
    readable = [
        resource
        for statement in story.account.policies[f"cluster-{kind}"]
        if statement["Action"] == "s3:GetObject"
        for resource in statement["Resource"]
    ]

    def may(bucket: str, key: str) -> bool:
        return any(fnmatchcase(f"arn:aws:s3:::{bucket}/{key}", resource) for resource in readable)

    for _, contents in _sources(story, machine):
        where = urlsplit(contents["source"])
        assert may(where.netloc, where.path.removeprefix("/")), contents["source"]
    others = "members" if kind == "workers" else "workers"
    foreign = [place for place in story.account.objects if place[1].startswith(f"tls/{others}/")]
    assert foreign
    assert not any(may(*place) for place in foreign)


@pytest.mark.parametrize("member", ADDRESSES)
def test_a_member_gets_its_own_certificate(story: Story, member: str) -> None:
    """For its own address, which is what the others call it by."""
    from cryptography import x509

    sources = dict(_sources(story, f"fleetcaptain-prod-{member}"))
    certificate = x509.load_pem_x509_certificate(_fetched(story, sources["/etc/fleetcaptain/tls/cert.pem"]))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ADDRESSES[member] in {str(address) for address in names.get_values_for_type(x509.IPAddress)}
