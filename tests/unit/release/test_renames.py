"""Which former services a service replaces, when a Fleetfile renames it and when a rollback takes that back."""

from __future__ import annotations

from pathlib import Path

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.fleetfile.values import App, ServiceSpec
from fleetcaptain.mode import Mode
from fleetcaptain.release.renames import renamed_back, renamed_in
from fleetcaptain.release.service_release import Part, parts_of_app, parts_of_manifest
from fleetcaptain.units.unit_file import UnitFile

FILE = UnitFile.parse("[Service]\nExecStart=/bin/true\n")


def release(tag: str, **services: str) -> Release:
    """A release of services, each with the one that it was renamed from."""
    return Release(tag, {name: ServiceRelease(FILE.unit_hash, 1, renamed_from=old) for name, old in services.items()})


def parts(*names: str) -> tuple[Part, ...]:
    """The services of the release that is deployed again."""
    return tuple(Part(name, FILE, 1, Mode.ROLLING) for name in names)


def test_a_release_records_what_its_fleetfile_renames() -> None:
    """And its record is read as it was written; one without a rename is as before."""
    spec = ServiceSpec("jobs", "jobs", "jobs:1", renamed_from="worker")
    (part,) = parts_of_app(App("shop", (spec,), Path("/app")), {"jobs": FILE})
    assert renamed_in([part, *parts("web")]) == {"jobs": ("worker",)}
    manifest = Release.from_json(Release("v2", {"jobs": part.entry(FILE, "")}).to_json())
    assert parts_of_manifest(manifest, {FILE.unit_hash: FILE})[0][0].renamed_from == "worker"
    assert "renamed_from" not in release("v1", worker="").to_json()


def test_a_rollback_takes_renames_back_and_makes_them_again() -> None:
    """Over several, in both directions; only services that the release itself does not have are replaced."""
    one, two = release("v1", worker="", web=""), release("v2", jobs="worker", web="")
    three = release("v3", batch="jobs", web="site")
    assert renamed_back(parts("worker", "web"), [one]) == {}
    assert renamed_back(parts("worker", "web"), [one, two]) == {"worker": ("jobs",)}
    assert renamed_back(parts("worker", "web"), [one, two, three]) == {"worker": ("batch", "jobs"), "web": ("site",)}
    assert renamed_back(parts("batch"), [one, two, three]) == {"batch": ("jobs", "worker")}
    assert renamed_back(parts("worker", "jobs"), [one, two]) == {}
