"""Metadata of local machines, for all of them and for single ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleetcaptain.errors import ClusterRefused
from fleetcaptain.localcluster.layout import Layout
from fleetcaptain.localcluster.machine_metadata import parse_metadata


def test_a_machine_has_that_of_all_and_its_own() -> None:
    """Its own wins; FleetCaptain's name and zone stay."""
    metadata = parse_metadata({"disk": "hdd", "rack": 1, "m2": {"disk": "ssd"}})
    layout = Layout("shop/dev", 2, "10.64.0.0/24", 5000, Path("home"), "image", Path("tools"), metadata=metadata)
    assert layout.metadata_of("m1") == {"name": "m1", "zone": "z1", "disk": "hdd", "rack": "1"}
    assert layout.metadata_of("m2") == {"name": "m2", "zone": "z2", "disk": "ssd", "rack": "1"}
    assert parse_metadata(None) == {}


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("disk=ssd", "keys with values"),
        ({"m1": "ssd"}, "m1 is a machine"),
        ({"disk": {"a": "b"}}, "no machine"),
        ({"m1": {"name": "x"}}, "m1: name: FleetCaptain sets it"),
        ({"disk": "a=b"}, "letters, digits"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_to_write(setting: Any, why: str) -> None:
    """In the preview, before anything changes."""
    with pytest.raises(ClusterRefused) as error:
        parse_metadata(setting)
    assert why in error.value.problems[0]
    assert "fleetcaptain:metadata.m1.disk ssd" in error.value.problems[-1]
