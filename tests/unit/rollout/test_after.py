"""What is left to do, or to say, when the services of a release have been rolled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleetcaptain.discovery.keys import current_key, registration_key, release_key
from fleetcaptain.discovery.values import Manifest, Registration, Release
from fleetcaptain.errors import ClusterUnreachable, DeadlineExceeded
from fleetcaptain.fleet.values import FleetUnit, UnitState
from fleetcaptain.rollout import bluegreen
from fleetcaptain.rollout.after import after_failure, retire_old
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.drive import Driver, Outcome
from fleetcaptain.rollout.gate import current_tag, open_gate
from fleetcaptain.rollout.held import held
from fleetcaptain.rollout.observed import Snapshot
from fleetcaptain.rollout.values import Policy, Target
from fleetcaptain.units.text import content, parse
from tests.unit.release.releases import Keys
from tests.unit.rollout.world import APP, text_of

WEB1, WEB2 = text_of("web"), text_of("web", restart_sec=9)
DB1, DB2 = text_of("db"), text_of("db", restart_sec=9)


def _manifest(tag: str, web: str, db: str, *, unfinished: bool = False) -> Manifest:
    services = {
        "web": Release(content(web), 1, requires=("db",)),
        "db": Release(content(db), 1, mode="bluegreen", rollout={"keep_old_sec": 7}),
    }
    return Manifest(tag, services, unfinished=unfinished)


V1, V2 = _manifest("v1", WEB1, DB1), _manifest("v2", WEB2, DB2, unfinished=True)


class Site:
    """A cluster on which *units* (name -> text) run and are registered; what is stopped and deleted is gone at once."""

    def __init__(self, units: Mapping[str, str], current: str, *manifests: Manifest) -> None:
        self.units = dict(units)
        self.keys = Keys()
        self.slept: list[float] = []
        for manifest in manifests:
            self.keys.write(release_key(APP, manifest.tag), manifest.to_json())
        self.keys.write(current_key(APP), current)
        for entry in self._registrations():
            self.keys.write(registration_key(APP, entry.service, entry.unit), '{"service":"x","unit":"y"}')

    def look(self, _since: float | None = None) -> Snapshot:
        """What runs."""
        units = [FleetUnit(name, parse(text), "launched", "launched", "m") for name, text in self.units.items()]
        states = [UnitState(unit.name, "m", unit.content, "loaded", "active", "running") for unit in units]
        return Snapshot.of(units, states, (), self._registrations())

    def _registrations(self) -> list[Registration]:
        return [
            Registration(name.partition("@")[0].partition("-")[0], name, content(text), "m", "10.0.0.1")
            for name, text in self.units.items()
        ]

    def cluster(self) -> Cluster:
        """It, as rollouts see it."""
        shown: Any = SimpleNamespace(
            app=APP, store=self.keys, look=self.look, clock=lambda: 0.0, sleep=self.slept.append
        )
        shown.ask = lambda name, _state: self.units.pop(name)
        shown.delete = self.units.pop
        shown.nudge = lambda _name, _state: None
        shown.fenced = lambda _renew: shown
        shown.unregister = lambda service, unit: self.keys.delete(registration_key(APP, service, unit))
        return cast(Cluster, shown)


BOTH = {"web@1.service": WEB1, "db-1@1.service": DB1, "db-2@1.service": DB2}


def test_an_old_generation_is_held_until_who_requires_it_is_rolled() -> None:
    """The release under way is known by its record."""
    cluster = Site(BOTH, "v1", V1, V2).cluster()
    assert "web (web@1.service) of release v1" in held(cluster, "db", ["db-1@1.service"], content(DB2))
    rolled = Site({**BOTH, "web@1.service": WEB2}, "v1", V1, V2).cluster()
    assert held(rolled, "db", ["db-1@1.service"], content(DB2)) == ""


@pytest.mark.parametrize(("why", "retired"), [("who still need it", []), ("", ["db-1@1.service"])])
def test_a_blue_green_rollout_leaves_what_is_held(
    monkeypatch: pytest.MonkeyPatch, why: str, retired: list[str]
) -> None:
    """It is no failure: the new generation serves, and the old one goes later."""
    gone: list[str] = []
    monkeypatch.setattr(bluegreen, "held", lambda *_: why)
    monkeypatch.setattr(bluegreen, "retire", lambda _cluster, _service, old, *_: gone.extend(old))
    driver: Any = SimpleNamespace(
        cluster=Site(BOTH, "v1", V1, V2).cluster(), drive=lambda *_: Outcome({}), report=lambda _line: None
    )
    target = Target("db", ("db-2@1.service",), DB2, content(DB2))
    bluegreen.replace_generation(cast(Driver, driver), target, Policy(), 0)
    assert gone == retired


def test_the_gate_opens_when_all_is_available() -> None:
    """The release is current and finished then; before, nothing moves."""
    recorded = replace(V1, unfinished=True)
    site = Site({"web@1.service": WEB1, "db-1@1.service": DB1}, "v0", recorded)
    open_gate(site.cluster(), V1, 10)
    assert current_tag(site.cluster()) == "v1"
    assert site.keys.nodes[release_key(APP, "v1")].value == V1.to_json()
    lacking = Site({"web@1.service": WEB1}, "v0", recorded)
    with pytest.raises(DeadlineExceeded, match="db: 0 of 1 instances registered"):
        open_gate(lacking.cluster(), V1, -1)
    assert current_tag(lacking.cluster()) == "v0"


def test_of_one_release_nothing_holds() -> None:
    """When all goes, the current release does not keep its own services."""
    cluster = Site({"web@1.service": WEB1, "db-1@1.service": DB1}, "v1", V1).cluster()
    assert held(cluster, "db", ["db-1@1.service"], None) != ""
    assert held(cluster, "db", ["db-1@1.service"], None, but="v1") == ""


def test_what_was_left_for_others_goes_at_the_end() -> None:
    """Drained as its rollout says, under its lock, and with its registration."""
    site = Site({**BOTH, "web@1.service": WEB2}, "v2", V1, replace(V2, unfinished=False))
    assert retire_old(site.cluster(), "v2", lambda _line: None) == ()
    assert set(site.units) == {"web@1.service", "db-2@1.service"}
    assert 7.0 in site.slept
    assert site.keys.read(registration_key(APP, "db", "db-1@1.service")) is None


def test_what_is_still_needed_stays_and_is_told() -> None:
    """Somebody of another release runs beside."""
    site = Site({**BOTH, "web@1.service": WEB2, "web@2.service": WEB1}, "v2", V1, replace(V2, unfinished=False))
    (told,) = retire_old(site.cluster(), "v2", lambda _line: None)
    assert told.startswith("db-1@1.service left for those who still depend")
    assert "web (web@2.service) of release v1" in told
    assert set(site.units) == {*BOTH, "web@2.service"}


def test_a_failure_tells_who_is_ahead() -> None:
    """A service that only the coming release has counts too."""
    new = replace(V2, services={**V2.services, "new": Release("n", 1)})
    site = Site({**BOTH, "new@1.service": text_of("new")}, "v1", V1, new)
    assert "Ahead of it are db, new. `pulumi up -c fleetcaptain:rollbackTo=v1`" in after_failure(site.cluster())


def test_a_failure_before_any_release_or_out_of_sight_says_nothing_more() -> None:
    """The error itself stands."""
    assert after_failure(Site(BOTH, "v1").cluster()) == ""
    site = Site(BOTH, "v1", V1)
    cluster: Any = site.cluster()
    cluster.look = _blind
    assert after_failure(cluster) == ""


def _blind() -> Snapshot:
    raise ClusterUnreachable("nobody answers")
