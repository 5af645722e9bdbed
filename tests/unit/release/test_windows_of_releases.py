"""A release records the windows of its services, and a rollback brings them back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.fleetfile.values import App, Rolling, ServiceSpec
from fleetcaptain.mode import Mode
from fleetcaptain.release.rollback import obstacles
from fleetcaptain.release.service_release import Part, parts_of_app, parts_of_manifest
from fleetcaptain.schedule.window import WindowSpec
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.untrusted import Unreadable

FILE = UnitFile.parse("[Service]\nExecStart=/bin/true\n")
FULL = FILE.with_image("web@sha256:1")
NIGHT = WindowSpec("night", 12, 1380, 60, (0, 1), (), "America/Chicago")
EVE = WindowSpec("eve", 8, 0, 1440, (), (date(2026, 12, 24),), "UTC", machines=2)
PART = Part("web", FILE, 4, Mode.ROLLING, windows=(NIGHT, EVE))
V1 = Release("v1", {"web": PART.entry(FULL, "web@sha256:1")})


def test_a_manifest_gives_the_windows_back() -> None:
    """Through its JSON; the number of instances stays that without windows."""
    manifest = Release.from_json(V1.to_json())
    assert manifest == V1
    (part,), _ = parts_of_manifest(manifest, {FULL.unit_hash: FULL})
    assert (part.windows, part.instances) == ((NIGHT, EVE), 4)


def test_the_windows_of_a_fleetfile_are_those_of_its_release() -> None:
    """From the keyword on."""
    spec = ServiceSpec("web", "web", "web", instances=4, scale=(NIGHT,), rollout=Rolling())
    (part,) = parts_of_app(App("shop", (spec,), Path("/app"), None), {"web": FILE})
    assert part.entry(FULL, "web@sha256:1").windows == (NIGHT,)


def test_a_manifest_without_windows_has_no_word_of_them() -> None:
    """Those of earlier versions stay as they are, byte for byte."""
    assert ServiceRelease("w1", 4).to_data() == {
        "content": "w1",
        "instances": 4,
        "image": "",
        "mode": "rolling",
        "rollout": {},
        "requires": [],
        "scheme": "tcp",
    }


@pytest.mark.parametrize(
    "windows",
    [
        "night",
        ["night"],
        [{}],
        [{**NIGHT.to_data(), "at_least": 101}],
        [NIGHT.to_data(), NIGHT.to_data()],
        [{**NIGHT.to_data(), "name": f"n{number}"} for number in range(11)],
    ],
)
def test_other_windows_are_rejected(windows: Any) -> None:
    """Every client of etcd can write any."""
    data = json.loads(V1.to_json())
    data["services"]["web"]["windows"] = windows
    with pytest.raises(Unreadable):
        Release.from_json(json.dumps(data))


def test_a_time_zone_that_this_computer_does_not_know_is_an_obstacle() -> None:
    """A reader of the release needs no time zones; a rollback computes the windows."""
    nowhere = replace(V1.services["web"], windows=(NIGHT, replace(EVE, timezone="Mars/Olympus")))
    manifest = Release.from_json(replace(V1, services={"web": nowhere}).to_json())
    texts = {FULL.unit_hash: FULL.text}
    (why,) = obstacles(manifest, texts, {})
    assert why == (
        "web: this computer does not know the time zone Mars/Olympus of the window eve; update its package tzdata"
    )
    assert obstacles(V1, texts, {}) == ()
