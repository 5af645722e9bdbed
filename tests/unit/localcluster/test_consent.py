"""What of a local cluster is lost only by consent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcaptain.localcluster.consent import loss_problems, size_problems, tls_problem
from fleetcaptain.localcluster.layout import machine_names

SIZES = st.integers(1, 7)


@pytest.mark.parametrize(
    ("size", "consent", "words"),
    [
        (3, (), ""),
        (5, (), ""),
        (2, (), "pulumi config set fleetcaptain:removeMachines m3 --stack dev"),
        (1, ("m3",), "would remove m2, m3"),
        (1, ("m2", "m3"), ""),
        (2, ("m3", "m4"), ""),
        (3, ("m3",), "names m3, but a cluster of 3 machines keeps m1, m2, m3"),
        (3, ("m4",), ""),
        (2, ("m3", "web"), "names web"),
        (0, (), "1 to 7 machines"),
        (8, (), "1 to 7 machines"),
    ],
)
def test_a_machine_is_removed_only_by_name(size: int, consent: Sequence[str], words: str) -> None:
    """Of three."""
    problems = size_problems(machine_names(3), size, consent, "dev")
    assert [words in problem for problem in problems] == ([True] if words else [])


@given(SIZES, SIZES, SIZES)
def test_consent_that_is_left_in_the_settings_removes_nothing_later(large: int, small: int, later: int) -> None:
    """A cluster grows again only when the consent is gone from the settings."""
    consent = [name for name in machine_names(large) if name not in machine_names(small)]
    assert size_problems(machine_names(large), small, consent, "dev") == []
    if later > small and consent:
        assert size_problems(machine_names(small), later, consent, "dev")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (None, True, ""),
        (True, True, ""),
        (False, False, ""),
        (False, True, "turning TLS on requires a new cluster"),
        (True, False, "pulumi config set fleetcaptain:tls true --stack dev"),
    ],
)
def test_tls_is_turned_on_and_off_with_a_new_cluster(before: bool | None, after: bool, words: str) -> None:
    """By `make down`, which says what it removes."""
    problem = tls_problem(before, after, "dev")
    assert bool(problem) == bool(words)
    assert words in problem


def test_what_a_smaller_cluster_would_lose_is_named() -> None:
    """Of the machines that go."""
    data = {"m1": ("other",), "m3": ("shop-db", "/srv")}
    (problem,) = size_problems(machine_names(3), 2, [], "dev", lambda: data)
    assert "m3 has shop-db, /srv" in problem
    assert "other" not in problem
    assert "captain bind" in problem


@pytest.mark.parametrize(
    ("consent", "refused"),
    [("", ["m1 has the data of a", "m2 has the data of /srv, b"]), ("a, b", ["m2 has the data of /srv"])],
)
def test_a_cluster_with_data_is_removed_only_with_consent(consent: str, refused: list[str]) -> None:
    """The error names what goes, how to keep it, and how to consent."""
    problems = loss_problems({"m1": ("a",), "m2": ("/srv", "b")}, consent, "dev")
    assert problems[:-2] == refused
    assert "captain backup SERVICE" in problems[-2]
    assert "`make down STACK=dev FLEETCAPTAIN_LOSE_DATA=/srv,a,b`" in problems[-1]


@pytest.mark.parametrize("consent", ["all", "a,b,/srv", "x,/srv,b,a"])
def test_consent_to_all_data_of_a_cluster(consent: str) -> None:
    """By name, or at once. Without data none is needed."""
    assert loss_problems({"m1": ("a",), "m2": ("/srv", "b")}, consent, "dev") == []
    assert loss_problems({}, "", "dev") == []
