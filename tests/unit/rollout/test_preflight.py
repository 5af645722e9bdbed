"""What has to hold before the first instance stops: a place for each, and the image on every machine."""

from __future__ import annotations

from typing import Any

import pytest

from fleetcaptain.discovery.keys import registries_key
from fleetcaptain.errors import RolloutFailed
from fleetcaptain.fleet.root_command import as_root
from fleetcaptain.release.images import ImageState, probe_argv
from fleetcaptain.rollout.model import Target
from fleetcaptain.rollout.preflight import find_images, prepare, pull_everywhere
from fleetcaptain.units.names import instance_names
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of

HERE = "fleetcaptain: the image is here\n"
AGENT = "/run/fleetcaptain/shop/agent"


def machines(**output: str | None) -> tuple[FakeCluster, list[str]]:
    """Three machines, and the addresses of those on which a command ran. docker prints *output*, by the machine's name;
    None on one that cannot be reached. The others have every image."""
    by_address = {f"10.0.0.{name[1]}": text for name, text in output.items()}
    called: list[str] = []

    def run(address: str, _argv: list[str], _timeout_sec: float, _text: str = "") -> str | None:
        called.append(address)
        return by_address.get(address, HERE)

    return FakeCluster(run=run), called


def target(**keywords: Any) -> Target:
    """A new text of web on three instances."""
    text = text_of("web", **{"description": "new", **keywords})
    return Target("web", instance_names("web", 3), UnitFile.parse(text))


def mute(_line: str) -> None:
    """Nobody listens."""


def test_every_machine_that_may_get_an_instance_fetches_the_image() -> None:
    """Side by side, before anything stops."""
    cluster, called = machines()
    cluster.launch_service("web", 3)
    prepare(cluster, cluster.snapshot(), target(), "shop@sha256:1", mute)
    assert sorted(called) == cluster.machines
    assert cluster.history == []


def test_an_image_that_cannot_be_pulled_stops_the_update_before_anything_stops() -> None:
    """With docker's own words, and where."""
    cluster, _ = machines(m2="Error response: manifest unknown\n")
    cluster.launch_service("web", 3)
    said = r"(?s)Failed to pull shop@sha256:1 on 10\.0\.0\.2.*manifest unknown.*Nothing was changed"
    with pytest.raises(RolloutFailed, match=said):
        prepare(cluster, cluster.snapshot(), target(), "shop@sha256:1", mute)
    assert cluster.history == []


def test_a_machine_that_cannot_be_reached_is_left_out() -> None:
    """Its own unit pulls when it is back; the error names only the machine whose docker refused."""
    addresses = ["10.0.0.1", "10.0.0.2"]
    cluster, called = machines(m1=None)
    reported: list[str] = []
    pull_everywhere(cluster, "shop@sha256:1", addresses, reported.append)
    assert sorted(called) == addresses
    assert reported[1:] == ["could not pull the image ahead on 10.0.0.1: no connection, or it took too long"]
    cluster, _ = machines(m1=None, m2="Error response: manifest unknown\n")
    with pytest.raises(RolloutFailed, match=r"Failed to pull shop@sha256:1 on 10\.0\.0\.2\. docker"):
        pull_everywhere(cluster, "shop@sha256:1", addresses, mute)


def test_instances_without_a_place_stop_the_update() -> None:
    """No image is fetched for them either."""
    cluster, called = machines()
    cluster.launch_service("web", 3)
    with pytest.raises(RolloutFailed, match=r"web: no machine can take .*Nothing was changed"):
        prepare(cluster, cluster.snapshot(), target(machine_metadata=("disk=ssd",)), "shop@sha256:1", mute)
    assert called == []


def test_nothing_is_fetched_when_nothing_will_be_started() -> None:
    """All run the target's content already."""
    cluster, called = machines()
    cluster.launch_service("web", 3, description="new")
    prepare(cluster, cluster.snapshot(), target(), "shop@sha256:1", mute)
    assert called == []


def test_a_machine_checks_images_with_its_logins_for_the_app() -> None:
    """The agent writes them there."""
    called: list[list[str]] = []

    def run(_address: str, argv: list[str], _timeout_sec: float, _text: str = "") -> str:
        called.append(argv)
        return "200\n"

    cluster = FakeCluster(run=run)
    assert find_images(cluster, ["ghcr.io/acme/db:1"]) == {"ghcr.io/acme/db:1": ImageState.THERE}
    assert called == [probe_argv(["ghcr.io/acme/db:1"], f"/run/fleetcaptain/{cluster.app}/docker/config.json")]


def test_with_logins_the_machines_agent_pulls() -> None:
    """As root, because the logins are root's; docker of the SSH user has none."""
    cluster, _ = machines()
    calls: list[list[str]] = []

    def run(_address: str, argv: list[str], _timeout_sec: float, _text: str = "") -> str:
        calls.append(argv)
        return HERE

    cluster.run = run
    cluster.store.write(registries_key(cluster.app), "encrypted")
    prepare(cluster, cluster.snapshot(), target(), "ghcr.io/acme/shop@sha256:1", mute)
    script = as_root(["sh", "-c", calls[0][-4], "pull", "ghcr.io/acme/shop@sha256:1", AGENT])
    assert calls == [script] * 3
    assert 'sh "$2" pull "$1"' in calls[0][-4]
