"""Services keep no data where it goes with a local machine's container."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.cluster.lost_paths import lost_paths
from fleetcaptain.fleetfile.values import App, ServiceSpec, TaskSpec


def app(*volumes: str) -> App:
    """An app whose one service mounts *volumes*."""
    return App("shop", (ServiceSpec("db", "", "redis:7", volumes=volumes),), Path("/app"))


@pytest.mark.parametrize("path", ["/data", "/var/lib/db", "/var/log", "/srvx/data", "/home/core"])
def test_a_path_that_is_lost_is_refused_with_what_to_write(path: str) -> None:
    """A named volume, the path that is kept, or a mount that is only read."""
    (problem,) = lost_paths(app(f"{path}:/data"))
    assert problem.startswith(f"db: {path} of a local machine is lost")
    for way in ('"shop-db:/in/the/container"', "below /srv", ":ro"):
        assert way in problem
    assert lost_paths(app(f"{path}:/data:ro")) == []


@pytest.mark.parametrize(
    "volume",
    ["data:/data", "/srv:/data", "/srv/db:/data", "/var/lib/docker/x:/x", "/var/run/docker.sock:/d", "/dev:/dev"],
)
def test_what_is_kept_or_is_the_machines_own_is_not(volume: str) -> None:
    """Volumes, the kept paths, sockets and devices."""
    assert lost_paths(app(volume)) == []


def test_tasks_and_own_lines_count() -> None:
    """Whatever mounts the path."""
    line = ("/usr/bin/docker run -v /data:/data ${IMAGE}",)
    task = TaskSpec(ServiceSpec("load", "", "redis:7", start=line))
    assert len(lost_paths(App("shop", (), Path("/app"), tasks=(task,)))) == 1
