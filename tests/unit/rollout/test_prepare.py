"""What has to hold before the first instance stops: a place for each, and the image on every machine."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.rollout.prepare import prepare
from fleetcaptain.rollout.prepull import pull_everywhere
from fleetcaptain.rollout.values import Target
from fleetcaptain.units.text import content
from tests.unit.rollout.world import World, text_of

HERE = "fleetcaptain: the image is here\n"


class Machines(World):
    """Machines whose docker answers *says*, by address; None for one that cannot be reached."""

    says: dict[str, str | None]
    asked: list[str]

    def run(self, address: str, _argv: list[str], _timeout_sec: float) -> str | None:
        """What the command printed there."""
        self.asked.append(address)
        return self.says.get(address, HERE)


def machines(**says: str | None) -> Machines:
    """Three machines; the others have every image."""
    world = Machines()
    world.says, world.asked = {f"10.0.0.{name[1]}": words for name, words in says.items()}, []
    return world


def target(**words: object) -> Target:
    """A new text of web on three instances."""
    text = text_of("web", **{"description": "new", **words})
    return Target("web", tuple(f"web@{number}.service" for number in (1, 2, 3)), text, content(text))


def mute(_line: str) -> None:
    """Nobody listens."""


def test_every_machine_that_may_get_an_instance_fetches_the_image() -> None:
    """Side by side, before anything stops."""
    world = machines()
    world.running("web", 3)
    prepare(world.cluster(), world.look(), target(), "shop@sha256:1", mute)
    assert sorted(world.asked) == world.machines
    assert world.history == []


def test_an_image_that_cannot_be_had_stops_the_update_before_anything_stops() -> None:
    """With docker's own words, and where."""
    world = machines(m2="Error response: manifest unknown\n")
    world.running("web", 3)
    with pytest.raises(RolloutFailed, match=r"(?s)cannot be had on 10\.0\.0\.2.*manifest unknown.*Nothing was touched"):
        prepare(world.cluster(), world.look(), target(), "shop@sha256:1", mute)
    assert world.history == []


def test_a_machine_that_cannot_be_reached_is_left_out() -> None:
    """Its own unit pulls when it is back."""
    pull_everywhere(machines(m1=None).cluster(), "shop@sha256:1", ["10.0.0.1", "10.0.0.2"], mute)


def test_instances_without_a_place_stop_the_update() -> None:
    """No image is fetched for them either."""
    world = machines()
    world.running("web", 3)
    with pytest.raises(RolloutFailed, match=r"web: no machine can take .*Nothing was touched"):
        prepare(world.cluster(), world.look(), target(machine_metadata=("disk=ssd",)), "shop@sha256:1", mute)
    assert world.asked == []


def test_nothing_is_fetched_when_nothing_will_be_started() -> None:
    """All run the target's content already."""
    world = machines()
    world.running("web", 3, description="new")
    prepare(world.cluster(), world.look(), target(), "shop@sha256:1", mute)
    assert world.asked == []
