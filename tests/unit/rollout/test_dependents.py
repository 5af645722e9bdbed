"""Who still needs an old generation."""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.release.drift import format_drift, services_ahead
from fleetcaptain.rollout.dependents import Dependent, Successor, dependents, format_dependents
from tests.unit.release.example_releases import live, release

NEEDS = {"web": "db"}
V1 = release("v1", web="w1", db="d1", requires=NEEDS)
V2 = release("v2", unfinished=True, web="w2", db="d2", requires=NEEDS)
NEW = Successor("d2")


def test_a_live_service_of_another_release_holds_what_it_requires() -> None:
    """It is named with its units and its release."""
    there = [live("web", "w1", number=2), live("web", "w1"), live("db", "d1"), live("db", "d2", number=2)]
    assert dependents("db", {"d1"}, NEW, there, [V1, V2]) == (
        Dependent("web", "v1", ("web@1.service", "web@2.service")),
    )


def test_who_is_of_the_new_release_too_holds_nothing() -> None:
    """It did not change, or has been rolled: it sees the new generation."""
    unchanged = release("v2", unfinished=True, web="w1", db="d2", requires=NEEDS)
    assert dependents("db", {"d1"}, NEW, [live("web", "w1")], [V1, unchanged]) == ()
    assert dependents("db", {"d1"}, NEW, [live("web", "w2")], [V1, V2]) == ()


def test_declared_compatibility_lets_the_old_generation_go() -> None:
    """Only for the releases that it names."""
    assert dependents("db", {"d1"}, Successor("d2", ("v1",)), [live("web", "w1")], [V1, V2]) == ()
    assert dependents("db", {"d1"}, Successor("d2", ("v0",)), [live("web", "w1")], [V1, V2]) != ()


def test_who_does_not_require_it_holds_nothing() -> None:
    """Nor does who needs another generation of it, or is about to go, or is of no release."""
    apart = release("v1", web="w1", db="d1")
    assert dependents("db", {"d1"}, NEW, [live("web", "w1")], [apart, V2]) == ()
    assert dependents("db", {"d0"}, NEW, [live("web", "w1")], [V1, V2]) == ()
    assert dependents("db", {"d1"}, NEW, [live("web", "unknown")], [V1, V2]) == ()
    going = replace(live("web", "w1"), draining=True)
    assert dependents("db", {"d1"}, NEW, [going], [V1, V2]) == ()
    # Its service is under maintenance, and runs.
    assert dependents("db", {"d1"}, NEW, [replace(going, maintenance=True)], [V1, V2]) != ()


def test_a_removed_service_is_held_by_who_requires_it() -> None:
    """Nothing takes its place; the youngest release that names them says what they require."""
    assert dependents("db", {"d1"}, None, [live("web", "w1")], [V1]) == (Dependent("web", "v1", ("web@1.service",)),)
    without = release("v2", web="w1")
    assert dependents("db", {"d1"}, None, [live("web", "w1")], [V1, without]) == ()
    assert dependents("db", {"d1"}, None, [live("web", "w1")], [without, V1]) != ()


def test_the_words_say_who_and_what_lets_it_go() -> None:
    """A person has to be able to act on them."""
    words = format_dependents("db", [Dependent("web", "v1", ("web@1.service",))])
    assert "web (web@1.service) of release v1" in words
    assert 'versions=["v1"]' in words


def test_ahead_is_what_is_not_as_the_current_release_says() -> None:
    """A service of which one instance was replaced too, and one that is new."""
    running = {"web": {"w1", "w2"}, "db": {"d1"}, "new": {"n1"}, "absent": set[str]()}
    assert services_ahead(V1, running) == ("new", "web")


def test_the_way_back_is_one_command() -> None:
    """Where nothing is ahead there is none to be said."""
    assert format_drift(V1, ["db", "web"], "shop/dev") == (
        "v1 is still the current release. db, web already run the new version. "
        "To roll everything back, run `captain rollback v1 --stack dev`."
    )
    assert "rollback" not in format_drift(V1, [], "shop/dev")
