"""The globs of fleet's placement rules: what they match, and which units a service's name means."""

from __future__ import annotations

import pytest

from fleetcaptain.units.xfleet import glob_matches, glob_of_service, glob_of_units, rules_of, service_in_glob

# Computed by Go's own path.Match; an error there is no match here.
MATCHES = [
    ("web@*.service", "web@1.service", True),
    ("web@*", "web@.service", True),
    ("web@?.service", "web@10.service", False),
    ("*", "a/b", False),
    ("[^/]", "a", True),
    ("db@[^2].service", "db@1.service", True),
    ("db@[^2].service", "db@2.service", False),
    ("db@[!2].service", "db@2.service", True),
    ("db@[!2].service", "db@1.service", False),
    ("[a-c]", "b", True),
    ("[c-a]", "b", False),
    ("[^c-a]", "b", True),
    (r"[\]]", "]", True),
    (r"[\--z]", "m", True),
    ("[]a]", "a", False),
    ("[-x]", "x", False),
    ("[^]", "a", False),
    ("[x-]", "x", False),
    ("[a-", "[a-", False),
    ("[", "[", False),
    ("]", "]", True),
    ("[[]", "[", True),
    ("[a^]", "^", True),
    (r"\*", "*", True),
    (r"\*", "a", False),
    ("a\\", "a\\", False),
    (r"dev-a\x2db", r"dev-a\x2db", False),
    (r"dev-a\\x2db", r"dev-a\x2db", True),
    ("A", "a", False),
    ("a.b", "axb", False),
    ("", "", True),
]


@pytest.mark.parametrize(("glob", "name", "matches"), MATCHES)
def test_a_glob_matches_as_in_go(glob: str, name: str, matches: bool) -> None:
    """Its sets, escapes and mistakes differ from those of a shell."""
    assert glob_matches(glob, name) is matches


@pytest.mark.parametrize(
    ("rule", "service"),
    [
        ("redis", "redis"),
        ("redis.service", "redis"),
        ("redis@*", "redis"),
        ("redis@1.service", "redis"),
        ("redis@1.timer", ""),
        ("redis-*", "redis-*"),
        ("%p@*", "%p"),
    ],
)
def test_a_rule_may_be_a_word_for_a_service(rule: str, service: str) -> None:
    """Whether there is such a service, the Fleetfile knows."""
    assert service_in_glob(rule) == service


@pytest.mark.parametrize("rule", ["redis", "redis@*", "redis.service", "redis@*.service"])
@pytest.mark.parametrize(("blue_green", "unit"), [(True, "redis-0a1b2c3@1.service"), (False, "redis@1.service")])
def test_the_units_of_a_service_are_matched_and_no_others(rule: str, blue_green: bool, unit: str) -> None:
    """Whichever way it is written: a longer name is another service's."""
    glob = glob_of_service(rule, blue_green=blue_green)
    names = (unit, "redis-cache@1.service", "redis-cache-0a1b2c3@1.service", "xredis@1.service", "redis.service")
    assert [name for name in names if glob_matches(glob, name)] == [unit]


def test_units_of_others_are_matched_by_their_whole_names() -> None:
    """fleet's names of units have a type."""
    assert [glob_of_units(rule) for rule in ("web-*", "a@1.timer", "b.service")] == [
        "web-*.service",
        "a@1.timer",
        "b.service",
    ]


def test_the_peers_of_a_unit_are_services() -> None:
    """Each once, in order; the unit's own name may be a part of theirs."""
    options = [
        ("MachineOf", "db@%i.service"),
        ("X-ConditionMachineOf", "cache@1.service"),
        ("MachineOf", "db@2.service"),
    ]
    assert rules_of(options, "web@1.service").peers == ("cache", "db")
