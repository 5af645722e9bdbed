"""Which services stay on a machine with their data, by the text of their units, and the unit that keeps them there."""

from __future__ import annotations

from typing import Any

import pytest

from fleetcaptain.fleetfile.values import BlueGreen, ServiceSpec
from fleetcaptain.units.data_anchor import DataAnchor, anchor_name, anchor_of, is_anchor, is_anchor_name
from fleetcaptain.units.mark import Mark
from fleetcaptain.units.render import render
from fleetcaptain.units.unit_file import UnitFile
from fleetcaptain.units.validate import refusals

NAME = "db@1.service"
ANCHOR = "shop.data-db.service"


def bound(**keywords: Any) -> bool:
    """Whether the units of a service with *keywords* require its anchor."""
    spec = ServiceSpec("db", description="db", image="redis:7", **keywords)
    file = render(spec, Mark("shop", "shop/dev", "db"))
    assert refusals(NAME, file.with_image("redis@sha256:1")) == ()
    return anchor_of(file, [NAME]) == ANCHOR


@pytest.mark.parametrize(
    "keywords",
    [
        {"volumes": ("data:/data",)},
        {"docker_args": ("--mount", "type=volume,src=data,dst=/data")},
        {"volumes": ("data:/data",), "rollout": BlueGreen(10, 310, 600, 0)},
        {"start": ("/usr/bin/docker run -v data:/data ${IMAGE}",), "stop": ("x",), "after_stop": ("x",)},
        {"volumes": ("data:/data",), "machine_metadata": ("disk=ssd",), "conflicts": ("web@*.service",)},
    ],
)
def test_the_one_instance_with_a_named_volume_stays_with_it(keywords: dict[str, Any]) -> None:
    """However it mounts the volume."""
    assert bound(**keywords)


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"volumes": ("data:/data:ro",)},
        {"volumes": ("/srv/data:/data",)},
        {"volumes": ("data:/data",), "docker_args": ("--volume-driver", "nfs")},
        {"docker_args": ("--mount", "type=volume,src=data,dst=/data,volume-driver=nfs")},
        {"volumes": ("data:/data",), "instances": 2},
        {"volumes": ("data:/data",), "global_unit": True},
        {"volumes": ("data:/data",), "machine_id": "0badc0de"},
        {"volumes": ("data:/data",), "machine_of": ("web@1.service",)},
        {"volumes": ("data:/data",), "x_fleet": (("MachineID", "0badc0de"),)},
        {"volumes": ("data:/data",), "service": (("Type", "oneshot"), ("Restart", "no"), ("RemainAfterExit", "yes"))},
    ],
)
def test_all_others_run_where_they_could_before(keywords: dict[str, Any]) -> None:
    """Without data of their own on a machine, with several instances, or where another rule decides the machine."""
    assert not bound(**keywords)


def test_an_anchor_is_read_back_from_its_unit() -> None:
    """It is no service's, and fleet accepts it."""
    anchor = DataAnchor("db", "0badc0de", "m1 (10.0.0.1)", ("data", "logs"))
    file = UnitFile.parse(anchor.file("shop", "shop/dev").text)
    name = anchor_name("shop", "db")
    assert (DataAnchor.read(file), name, refusals(name, file)) == (anchor, ANCHOR, ())
    assert is_anchor(file.mark)
    assert is_anchor_name(name)
    assert not is_anchor_name(NAME)
    assert DataAnchor.read(UnitFile.parse("[Service]\nExecStart=/bin/true\n")) is None
