"""Availability of a release, from registrations alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fleetcaptain.discovery.available import endpoints, lacks, serving
from fleetcaptain.discovery.documents import Registration, Release, ServiceRelease, drained
from fleetcaptain.discovery.keys import registration_key, release_key

MANIFEST = Release("v1", {"web": ServiceRelease("aaa", 2, "web@sha256:1"), "db": ServiceRelease("bbb", 1)})


def registration(service: str, number: int, unit_hash: str, **more: object) -> Registration:
    """A registration of one instance on port 8080 + *number*."""
    connection = {"host": "10.0.0.1", "port": 8080 + number}
    text = json.dumps(
        {
            "service": service,
            "unit": f"{service}@{number}.service",
            "content": unit_hash,
            "connection": connection,
            **more,
        }
    )
    return Registration.from_json(text)


def test_available() -> None:
    """A release is available when enough registrations carry each service's content."""
    known = [registration("web", 1, "aaa"), registration("web", 2, "aaa"), registration("db", 1, "bbb")]
    assert lacks(MANIFEST, known) == ()


def test_other_content_does_not_count() -> None:
    """An instance of another generation does not make a service available."""
    known = [registration("web", 1, "aaa"), registration("web", 2, "old"), registration("db", 1, "bbb")]
    assert [str(lack) for lack in lacks(MANIFEST, known)] == ["web: 1 of 2 instances registered"]


def test_versions_count() -> None:
    """A registration that lists the release's tag serves it, whatever its content."""
    known = [registration("db", 1, "old", versions=["v1"])]
    assert [lack.service for lack in lacks(MANIFEST, known)] == ["web"]


def test_draining_does_not_count() -> None:
    """An instance that is about to go serves no release."""
    text = drained('{"service": "db", "unit": "db@1.service", "content": "bbb"}')
    assert serving("db", MANIFEST.services["db"], "v1", [Registration.from_json(text)]) == ()


def test_maintenance_takes_no_release_away() -> None:
    """Its instances are ready, and have no endpoint; those that a rollout drains do not count."""
    out = [registration("web", number, "aaa", draining=True, maintenance=True) for number in (1, 2)]
    db = registration("db", 1, "bbb")
    assert lacks(MANIFEST, [*out, db]) == ()
    assert endpoints(MANIFEST, [*out, db], {}).keys() == endpoints(MANIFEST, [db], {}).keys()
    going = [replace(one, maintenance=False) for one in out]
    assert [lack.service for lack in lacks(MANIFEST, [*going, db])] == ["web"]


def test_endpoints() -> None:
    """Endpoints are URLs of the release's own instances, by unit, with the service's scheme."""
    known = [registration("web", 2, "aaa"), registration("web", 1, "aaa"), registration("web", 3, "old")]
    assert endpoints(MANIFEST, known, {"web": "http"}) == {"web": ["http://10.0.0.1:8081", "http://10.0.0.1:8082"]}


def test_manifest_round_trip() -> None:
    """A manifest reads back as it was written."""
    assert Release.from_json(MANIFEST.to_json()) == MANIFEST


def test_keys() -> None:
    """The layout of the keys is a contract; a slash in a tag makes no level."""
    assert registration_key("app", "web", "web@1.service") == "/fleetcaptain/app/services/web/web@1.service"
    assert release_key("app", "feature/x") == "/fleetcaptain/app/releases/feature%2Fx"


def test_what_did_not_change_is_in_the_new_release_at_once() -> None:
    """Of twenty services one is new: only that one is waited for, and it alone has to be rolled."""
    names = [f"s{number}" for number in range(20)]
    live = [registration(name, 1, f"{name}-old") for name in names]
    old = Release("v1", {name: ServiceRelease(f"{name}-old", 1) for name in names})
    new = Release("v2", {**old.services, "s7": ServiceRelease("s7-new", 1)})
    assert lacks(old, live) == ()
    assert [lack.service for lack in lacks(new, live)] == ["s7"]
    assert lacks(new, [*live, registration("s7", 2, "s7-new")]) == ()


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("10.0.0.1", 80, "tcp://10.0.0.1:80"),
        ("10.0.0.1", "80", "tcp://10.0.0.1:80"),
        ("db-1.example.org", 5432, "tcp://db-1.example.org:5432"),
        ("2001:db8::1", 80, "tcp://[2001:db8::1]:80"),
        ("fe80::1%eth0", 80, None),
        ("<{% if a %}div{% endif %}>", 80, None),
        ("\x1b]52;c;\x07", 80, None),
        ("a b", 80, None),
        ("host\n", 80, None),
        ("user@host", 80, None),
        ("host/path", 80, None),
        ("1.2.3", 80, None),
        ("-a", 80, None),
        ("a" * 64, 80, None),
        ("a." * 127 + "ab", 80, None),
        ("", 80, None),
        (None, 80, None),
        ({"a": 1}, 80, None),
        ("10.0.0.1", 0, None),
        ("10.0.0.1", 65536, None),
        ("10.0.0.1", "８０", None),  # noqa: RUF001 - other digits are the point
        ("10.0.0.1", "80/x", None),
        ("10.0.0.1", True, None),
        ("10.0.0.1", 80.0, None),
        ("10.0.0.1", "9" * 5000, None),
        ("10.0.0.1", None, None),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(host: object, port: object, url: str | None) -> None:
    """Whatever else is registered never becomes an output of the stack."""
    known = [registration("db", 1, "bbb", connection={"host": host, "port": port})]
    assert endpoints(MANIFEST, known, {}) == ({"db": [url]} if url else {})
