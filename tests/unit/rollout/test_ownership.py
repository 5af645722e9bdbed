"""Which units are ours, by their marks; no name alone says so."""

from __future__ import annotations

import pytest

from fleetcaptain.errors import DeadlineExceeded, NotAvailable, RolloutFailed
from fleetcaptain.rollout.ownership import parse_adopt
from fleetcaptain.rollout.remove import remove
from fleetcaptain.rollout.strategies.restart import stack_on, to_restart
from fleetcaptain.rollout.strays import StrayPolicy
from fleetcaptain.units.mark import Mark, Ownership
from tests.fakes.fake_cluster import APP, STACK, FakeCluster, text_of


@pytest.mark.parametrize(
    ("mark", "adopt", "owned"),
    [
        (Mark("shop", "p/s", "web"), "", True),
        (Mark("shop", "p/s", "other"), "", True),
        (Mark("shop", "p/t", "web"), "", False),
        (Mark("blog", "p/s", "web"), "", False),
        (None, "", False),
        (Mark("shop", "p/t", "web"), "p/t", True),
        (Mark("blog", "p/t", "web"), "p/t", False),
        (Mark("shop", "p/t", "web"), "web@1.service", False),
        (None, "web@1.service", True),
        (None, "p/s, web@2.service", False),
    ],
)
def test_a_unit_is_ours_by_its_mark(mark: Mark | None, adopt: str, owned: bool) -> None:
    """By app and stack; of those that are adopted, by the stack or, without a mark, by the name."""
    assert Ownership("shop", "p/s", parse_adopt(adopt)).owns("web@1.service", mark) is owned


def test_what_may_be_adopted() -> None:
    """Stacks and units; anything else is a mistake."""
    assert parse_adopt("p/s,web@1.service , ") == {"p/s", "web@1.service"}
    with pytest.raises(ValueError, match="'web' is neither a stack"):
        parse_adopt("p/s,web")


def test_what_may_be_done_about_strays() -> None:
    """More units can be named only for their removal."""
    assert StrayPolicy.parse("warn") == StrayPolicy("warn")
    assert StrayPolicy.parse("remove: a.service,b.service") == StrayPolicy(
        "remove", frozenset({"a.service", "b.service"})
    )
    for text in ("keep", "remove:", "warn:a.service", ""):
        with pytest.raises(ValueError, match="fleetcaptain:strays must be"):
            StrayPolicy.parse(text)


def test_a_removal_leaves_what_is_not_ours() -> None:
    """It ends, as if those were gone, and their registrations stay."""
    theirs = text_of("web").replace(f"Stack={STACK}", "Stack=p/other")
    cluster = FakeCluster({"web@1.service": text_of("web"), "web@2.service": theirs, "odd.service": "[Unit]\n"})
    keys = cluster.etcd.values
    remove(cluster, "web", ["web@1.service", "web@2.service", "odd.service"])
    assert set(cluster.units) == set(cluster.runs) == {"web@2.service", "odd.service"}
    assert set(keys) - set(cluster.etcd.values) == {f"/fleetcaptain/{APP}/services/web/web@1.service"}


def test_a_removal_waits_as_long_as_the_stop_may_take() -> None:
    """docker and fleet get a hundred seconds more."""
    slow = {"web@1.service": text_of("web", stop_sec=700)}
    cluster = FakeCluster(slow, delay=650)
    remove(cluster, "web", slow)
    assert (cluster.units, cluster.now >= 650) == ({}, True)
    stuck = FakeCluster(slow, delay=5000)
    with pytest.raises(DeadlineExceeded, match=r"Failed to remove .* within 810 s"):
        remove(stuck, "web", slow)


def test_a_restart_is_of_one_stack() -> None:
    """Where the command line names none, it is the one whose units are there."""
    cluster = FakeCluster({"web@1.service": text_of("web")})
    assert stack_on(APP, "web", cluster.snapshot()) == STACK
    assert stack_on(APP, "db", cluster.snapshot()) == ""
    cluster.launch("web@2.service", text_of("web").replace(f"Stack={STACK}", "Stack=p/other"))
    assert to_restart(cluster.ownership, "web", cluster.snapshot()).names == ("web@1.service",)
    with pytest.raises(RolloutFailed, match=r"fleetcaptain/prod, p/other\. Nothing was changed\."):
        stack_on(APP, "web", cluster.snapshot())
    with pytest.raises(NotAvailable, match=r"of the app 'shop', stack p/none\. Nothing was changed"):
        to_restart(Ownership(APP, "p/none"), "web", cluster.snapshot())
