"""What is left to do, or to say, when the services of a release have been rolled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.discovery.keys import registration_key, release_key
from fleetcaptain.errors import DeadlineExceeded
from fleetcaptain.mode import Mode
from fleetcaptain.rollout.dependents import blocked_by
from fleetcaptain.rollout.driver import Driver
from fleetcaptain.rollout.finish import after_failure, remove_departed, retire_old
from fleetcaptain.rollout.model import Policy, Target
from fleetcaptain.rollout.release_gate import current_tag, open_gate
from fleetcaptain.rollout.strategies.blue_green import replace_generation
from fleetcaptain.units.unit_file import UnitFile
from tests.fakes.fake_cluster import APP, text_of
from tests.fakes.unit_texts import unit_hash
from tests.unit.rollout.released import BOTH, DB1, DB2, V1, V2, WEB1, WEB2, released


def test_an_old_generation_is_held_until_who_requires_it_is_rolled() -> None:
    """The release under way is known by its record."""
    cluster = released(BOTH, "v1", V1, V2)
    assert "web (web@1.service) of release v1" in blocked_by(
        cluster, cluster.snapshot(), "db", ["db-1@1.service"], unit_hash(DB2)
    )
    rolled = released({**BOTH, "web@1.service": WEB2}, "v1", V1, V2)
    assert blocked_by(rolled, rolled.snapshot(), "db", ["db-1@1.service"], unit_hash(DB2)) == ""


@pytest.mark.parametrize(("web", "kept"), [(WEB1, True), (WEB2, False)])
def test_a_blue_green_rollout_keeps_the_old_generation_while_it_is_required(web: str, kept: bool) -> None:
    """It is no failure: the new generation serves, and the old one goes later."""
    cluster = released({"web@1.service": web, "db-1@1.service": DB1}, "v1", V1, V2)
    lines: list[str] = []
    target = Target("db", ("db-2@1.service",), UnitFile.parse(DB2))
    replace_generation(Driver(cluster, lines.append), target, Policy(min_healthy_sec=0), 0, cluster.snapshot())
    assert cluster.runs["db-2@1.service"] == unit_hash(DB2)
    assert ("db-1@1.service" in cluster.units) is kept
    assert (
        any("keeping db-1@1.service: the old generation of db is still required by" in line for line in lines) is kept
    )


def test_the_gate_opens_when_all_is_available() -> None:
    """The release is current and finished then; before, nothing moves."""
    recorded = replace(V1, unfinished=True)
    cluster = released({"web@1.service": WEB1, "db-1@1.service": DB1}, "v0", recorded)
    open_gate(cluster, V1, 10)
    assert current_tag(cluster) == "v1"
    assert cluster.etcd.values[release_key(APP, "v1")] == V1.to_json()
    lacking = released({"web@1.service": WEB1}, "v0", recorded)
    with pytest.raises(DeadlineExceeded, match="db: 0 of 1 instances registered"):
        open_gate(lacking, V1, -1)
    assert current_tag(lacking) == "v0"


def test_of_one_release_nothing_holds() -> None:
    """When all goes, the current release does not keep its own services."""
    cluster = released({"web@1.service": WEB1, "db-1@1.service": DB1}, "v1", V1)
    assert blocked_by(cluster, cluster.snapshot(), "db", ["db-1@1.service"], None) != ""
    assert blocked_by(cluster, cluster.snapshot(), "db", ["db-1@1.service"], None, but="v1") == ""


def test_what_was_left_for_others_goes_at_the_end() -> None:
    """Drained as its rollout says, under its lock, and with its registration."""
    cluster = released({**BOTH, "web@1.service": WEB2}, "v2", V1, replace(V2, unfinished=False))
    assert retire_old(cluster, "v2", lambda _line: None) == ()
    assert set(cluster.units) == {"web@1.service", "db-2@1.service"}
    assert cluster.now >= 7
    assert registration_key(APP, "db", "db-1@1.service") not in cluster.etcd.values


def test_what_only_a_removed_generation_required_goes_too() -> None:
    """Each service is judged by the cluster of its time: api's old generation, removed first, required that of db."""
    api1, api2 = text_of("api"), text_of("api", restart_sec=9)

    def with_api(manifest: Release, api: str) -> Release:
        entry = ServiceRelease(unit_hash(api), 1, requires=("db",), mode=Mode.BLUE_GREEN)
        return replace(manifest, services={"api": entry, **manifest.services}, unfinished=False)

    units = {**BOTH, "web@1.service": WEB2, "api-1@1.service": api1, "api-2@1.service": api2}
    cluster = released(units, "v2", with_api(V1, api1), with_api(V2, api2))
    assert retire_old(cluster, "v2", lambda _line: None) == ()
    assert set(cluster.units) == {"web@1.service", "api-2@1.service", "db-2@1.service"}


def test_services_that_left_the_app_go_at_the_end() -> None:
    """Those of any release, in the order in which they let go of each other. What no release has stays."""
    services = {**V1.services, "old": ServiceRelease(unit_hash(text_of("old")), 1, requires=("older",))}
    before = replace(V1, services={**services, "older": ServiceRelease(unit_hash(text_of("older")), 1)})
    current = replace(V2, unfinished=False)
    left = {f"{name}@1.service": text_of(name) for name in ("old", "older", "stray")}
    cluster = released({"web@1.service": WEB2, "db-2@1.service": DB2, **left}, "v2", before, current)
    assert remove_departed(cluster, "v2", lambda _line: None) == ()
    assert set(cluster.units) == {"web@1.service", "db-2@1.service", "stray@1.service"}
    assert registration_key(APP, "old", "old@1.service") not in cluster.etcd.values


def test_a_service_that_left_stays_while_another_release_requires_it() -> None:
    """An instance of that release runs."""
    current = replace(V2, services={"web": V2.services["web"]}, unfinished=False)
    cluster = released({"web@1.service": WEB1, "db-1@1.service": DB1}, "v2", V1, current)
    (message,) = remove_departed(cluster, "v2", lambda _line: None)
    assert message.startswith("keeping db-1@1.service: db is still required by web (web@1.service) of release v1")
    assert set(cluster.units) == {"web@1.service", "db-1@1.service"}


def test_what_is_still_needed_stays_and_is_told() -> None:
    """Somebody of another release runs beside."""
    cluster = released({**BOTH, "web@1.service": WEB2, "web@2.service": WEB1}, "v2", V1, replace(V2, unfinished=False))
    (message,) = retire_old(cluster, "v2", lambda _line: None)
    assert message.startswith("keeping db-1@1.service: the old generation of db is still required by")
    assert "web (web@2.service) of release v1" in message
    assert set(cluster.units) == {*BOTH, "web@2.service"}


def test_a_failure_tells_who_is_ahead() -> None:
    """A service that only the coming release has counts too."""
    new = replace(V2, services={**V2.services, "new": ServiceRelease("n", 1)})
    cluster = released({**BOTH, "new@1.service": text_of("new")}, "v1", V1, new)
    message = after_failure(cluster)
    assert "db, new already run the new version." in message
    assert "run `captain rollback v1" in message


def test_a_failure_before_any_release_or_out_of_sight_says_nothing_more() -> None:
    """The error itself stands."""
    assert after_failure(released(BOTH, "v1")) == ""
    cluster = released(BOTH, "v1", V1)
    cluster.blind = 1
    assert after_failure(cluster) == ""
