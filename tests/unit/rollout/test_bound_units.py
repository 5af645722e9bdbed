"""What systemd stops with a unit that is rolled comes back with it."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import RolloutFailed
from fleetcaptain.rollout.bound_units import next_state
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.health import Instance
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.strategies.restart import RestartDriver, restart, to_restart
from fleetcaptain.rollout.strategies.rolling import roll
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import FakeCluster, text_of
from tests.fakes.unit_texts import unit_hash

SIDE = text_of("side", unit=(("BindsTo", "web@%i.service"), ("After", "web@%i.service")))
NEW = text_of("web", description="new")
WEB = ("web@1.service", "web@2.service", "web@3.service")
SIDES = ("side@1.service", "side@2.service", "side@3.service")
POLICY = Policy(min_healthy_sec=1)


class OnlyBesideTheOld(FakeCluster):
    """A cluster on which what is bound to web ends at once beside its new text."""

    def _reach(self, name: str) -> None:
        super()._reach(name)
        if name in self.runs and self.runs.get(name.replace("side", "web")) == unit_hash(NEW) and name in SIDES:
            self.halt(name)


def announced(side: str = SIDE, kind: type[FakeCluster] = FakeCluster, **more: str) -> FakeCluster:
    """Three instances of web, each with the unit *side* bound to it on its machine; *more* units by name."""
    cluster = kind(binds=dict(zip(WEB, ((name,) for name in SIDES), strict=True)))
    for name in WEB:
        cluster.launch(name, text_of("web"))
    for name in SIDES:
        cluster.launch(name, side)
    for name, text in more.items():
        cluster.launch(name.replace("_", "@") + ".service", text)
    return cluster


def test_each_instance_brings_back_its_own_before_the_next_one_goes() -> None:
    """So the announcers of a service are never all away; texts of theirs are not written."""
    cluster = announced()
    assert Driver(cluster).run(Target("web", WEB, UnitFile.parse(NEW)), POLICY).failure is None
    assert set(cluster.runs) == {*WEB, *SIDES}
    assert cluster.least_up == 4
    each = [[f"put {web}", f"loaded {side}", f"launched {side}"] for web, side in zip(WEB, SIDES, strict=True)]
    assert cluster.history == [step for steps in each for step in steps]


def test_a_restart_brings_them_back_too() -> None:
    """By the same driver."""
    cluster = announced()
    restart(RestartDriver(cluster), to_restart(cluster.ownership, "web", cluster.snapshot()), POLICY)
    assert set(cluster.runs) == {*WEB, *SIDES}
    assert cluster.least_up == 4


def test_a_chain_comes_back_link_by_link() -> None:
    """What is bound to a bound unit is started after that."""
    cluster = announced(log_1=text_of("log", unit=(("PartOf", "side@%i.service"),)))
    cluster.binds = {**cluster.binds, "side@1.service": ("log@1.service",)}
    assert Driver(cluster).run(Target("web", WEB, UnitFile.parse(NEW)), POLICY).failure is None
    assert set(cluster.runs) == {*WEB, *SIDES, "log@1.service"}
    assert cluster.history.index("launched side@1.service") < cluster.history.index("loaded log@1.service")


def test_what_stood_still_before_is_left_alone() -> None:
    """It is no work of this rollout, and its own preview names it."""
    cluster = announced()
    cluster.halt("side@2.service")
    assert Driver(cluster).run(Target("web", WEB, UnitFile.parse(NEW)), POLICY).failure is None
    assert "side@2.service" in cluster.dead
    assert not [step for step in cluster.history if "side@2" in step]


@pytest.mark.parametrize("mark", [{"stack": "fleetcaptain/other"}, {"app": "mail"}])
def test_units_of_others_are_left_alone(mark: dict[str, str]) -> None:
    """Whoever deployed them starts them."""
    side = text_of("side", unit=(("BindsTo", "web@%i.service"),), **mark)
    cluster = announced(side=side)
    assert Driver(cluster).run(Target("web", WEB, UnitFile.parse(NEW)), POLICY).failure is None
    assert set(cluster.dead) == set(SIDES)
    assert not [step for step in cluster.history if "side" in step]


def test_what_another_rollout_changed_meanwhile_is_left_to_that() -> None:
    """It waits for its own units."""
    cluster = announced()
    other = text_of("side", description="other", unit=(("BindsTo", "web@%i.service"),))

    def other_rollout() -> bool:
        """Is at the unit at each look of this one, which it does not stop."""
        cluster.put("side@1.service", UnitFile.parse(other))
        return False

    driver = Driver(cluster, stopping=other_rollout)
    assert driver.run(Target("web", WEB[:1], UnitFile.parse(NEW)), POLICY).failure is None
    assert not [step for step in cluster.history if step.endswith(("loaded side@1.service", "launched side@1.service"))]


def test_one_that_does_not_come_back_fails_the_rollout_which_is_taken_back() -> None:
    """The error names it; with the old text it is brought back by the same driver."""
    cluster, lines = announced(kind=OnlyBesideTheOld), list[str]()
    policy = Policy(min_healthy_sec=1, healthy_deadline_sec=60)
    with pytest.raises(RolloutFailed) as failure:
        roll(Driver(cluster, lines.append), Target("web", WEB, UnitFile.parse(NEW)), policy, auto_revert=True)
    said = str(failure.value)
    assert "web@1.service on 10.0.0.1: it was not healthy within 60 s: side@1.service, which is bound to it" in said
    assert "side@1.service on 10.0.0.1: systemd says inactive/dead" in said
    assert "were rolled back to their old text" in said
    assert any("waiting for side@1.service, which is bound to it" in line for line in lines)
    assert set(cluster.runs) == {*WEB, *SIDES}
    assert {cluster.units[name].unit_hash for name in WEB} == {unit_hash(text_of("web"))}


def test_a_bound_unit_is_given_time_between_two_starts() -> None:
    """Its state may be reported late; one that is on its way is left."""
    still = Instance("side@1.service", "x", "launched", "launched", "10.0.0.1", "x", "inactive", "dead")
    assert next_state(still, float("-inf"), 0) == "loaded"
    assert next_state(still, 0, 14) is None
    assert next_state(still, 0, 15) == "loaded"
    assert next_state(Instance("side@1.service", "x", "launched", "launched", None, "x", "activating"), 0, 99) is None
    assert next_state(Instance("side@1.service", "x", "loaded", "launched", None, "x", "inactive"), 0, 99) is None
    assert next_state(Instance("side@1.service", "x", "loaded", "loaded", None, "x", "inactive"), 0, 1) == "launched"
