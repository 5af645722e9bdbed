"""Volumes that images declare and services do not mount: which they are, and what the preview says of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.fleetfile.values import ServiceSpec
from fleetcaptain.units.image_volumes import dockerfile_volumes, loss_warning, unmounted, volume_paths


@pytest.mark.parametrize(
    ("dockerfile", "paths"),
    [
        ("FROM a\nVOLUME /data", ("/data",)),
        ("FROM a\nvolume /data /var/lib/x/\nRUN true\n", ("/data", "/var/lib/x")),
        ('FROM a\nVOLUME ["/data", "/with space"]', ("/data", "/with space")),
        ("FROM a\nVOLUME /data \\\n  # why\n\n  /more\n", ("/data", "/more")),
        ("FROM a\n# VOLUME /data\nRUN echo VOLUME /data\n", ()),
        ("FROM a\nVOLUME $DATA /data/${X}\nVOLUME data\nVOLUME /\nVOLUME /a:b\n", ()),
        ('FROM a\nVOLUME ["/data", 1]\nVOLUME [1\nVOLUME {"/x": 1}\nVOLUME\n', ("/data",)),
        ("FROM a AS build\nVOLUME /cache\nFROM b\nVOLUME /data\n", ("/data",)),
        (
            "FROM --platform=linux/amd64 a AS Base\nVOLUME /data\nFROM b\nVOLUME /b\nFROM base\nVOLUME /c\n",
            ("/c", "/data"),
        ),
        ("", ()),
    ],
)
def test_what_a_dockerfile_declares(dockerfile: str, paths: tuple[str, ...]) -> None:
    """Both forms, of the stage that is built in the end; what cannot be mounted, or is not known, is left out."""
    assert dockerfile_volumes(dockerfile) == paths


def test_the_stage_that_is_built_counts() -> None:
    """Not the last one; a stage that does not exist declares nothing."""
    dockerfile = "FROM a AS Web\nVOLUME /web\nFROM b AS job\nVOLUME /job\n"
    assert [dockerfile_volumes(dockerfile, target) for target in (None, "web", "WEB", "nosuch")] == [
        ("/job",),
        ("/web",),
        ("/web",),
        (),
    ]


@given(st.text())
def test_no_dockerfile_is_an_error(text: str) -> None:
    """The build says what is wrong with it."""
    dockerfile_volumes(f"FROM a\nVOLUME {text}")
    dockerfile_volumes(text)


def test_hostile_paths_are_dropped() -> None:
    """An image can declare anything; what is shown and compared are paths."""
    hostile = ["/a\x1b]52;c;x\x07", "/a\u202e", "/<{% x %}>", "/a:ro", '/a"', "/a\n", "relative", "/" + "x" * 300]
    assert volume_paths([*hostile, "/data//x/", "/data/x"]) == ("/data/x",)
    assert len(volume_paths(f"/{number}" for number in range(1000))) == 20


@pytest.mark.parametrize(
    "mounts",
    [
        {"volumes": ("shop-db:/data",)},
        {"volumes": ("/srv/db:/data/:ro",)},
        {"docker_args": ("-v", "shop-db:/data")},
        {"docker_args": ("--volume=/srv/db:/data:ro",)},
        {"docker_args": ("--mount", "type=volume,src=db,dst=/data")},
        {"docker_args": ("--tmpfs", "/data")},
        {"docker_args": ("--tmpfs=/data:size=64m",)},
        {"start": ("/usr/bin/docker run ${IMAGE}",)},
    ],
)
def test_what_is_mounted_is_not_lost(mounts: dict[str, Any]) -> None:
    """Neither what `volumes` has nor what is passed to docker; custom lines are not read."""
    assert unmounted(ServiceSpec("db", "", "db:1", **mounts), ("/data",)) == ()


@pytest.mark.parametrize(
    "mounts",
    [
        {},
        {"volumes": ("/data:/srv", "x:/data/inside")},
        {"docker_args": ("-e", "DATA=/data")},
        {"docker_args": ("-v", "/data", "--mount", "type=bind,src=/data,dst=/srv", "--tmpfs")},
    ],
)
def test_what_is_mounted_elsewhere_is_lost(mounts: dict[str, Any]) -> None:
    """A mount above or below the path is another one, and an anonymous volume is no place to keep data."""
    assert unmounted(ServiceSpec("db", "", "db:1", **mounts), ("/data", "/other")) == ("/data", "/other")


def test_the_warning_names_what_to_write() -> None:
    """By service and path; volumes of other apps and services on the same machine have other names."""
    warning = loss_warning("shop", {"db": ("/var/lib/postgresql/data",), "web": ("/a", "/b@1")})
    assert '  db: volumes=["shop-db-var-lib-postgresql-data:/var/lib/postgresql/data"]\n' in warning
    assert '  web: volumes=["shop-web-a:/a", "shop-web-b-1:/b@1"]\n' in warning
    assert loss_warning("shop", {}) == ""
