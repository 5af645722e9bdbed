"""Shards: all of them together are the suite, and what shares a cluster stays together."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.shards import Shard, group_of, in_shard


@given(st.lists(st.sampled_from("abcdefgh")), st.integers(1, 5))
def test_every_group_is_in_exactly_one_shard(groups: list[str], count: int) -> None:
    """So that no test is lost, and none runs twice."""
    shards = [in_shard(groups, Shard(number, count)) for number in range(1, count + 1)]
    assert sorted(group for shard in shards for group in shard) == sorted(set(groups))


def test_shards_have_about_as_many_tests_each() -> None:
    """The largest groups are dealt first. The many tests of a folder that share a machine count as a few."""
    modules = {"kills": 13, "releases": 10, "mistakes": 9, "deploy": 8, "faults": 8, "members": 6, "cluster": 6}
    groups = [group for group, tests in {**modules, "tests/contract": 162}.items() for _ in range(tests)]
    shards = [in_shard(groups, Shard(number, 3)) for number in (1, 2, 3)]
    sizes = [sum(modules.get(group, 4) for group in shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 4


def test_one_shard_is_the_whole_suite() -> None:
    """As without the option."""
    assert in_shard(["a", "b", "a"], Shard.parse("1/1")) == {"a", "b"}


@pytest.mark.parametrize("text", ["", "2", "0/3", "4/3", "1/0", "-1/3", "a/b", "1/3/5", "01/3"])
def test_an_unknown_shard_is_refused(text: str) -> None:
    """With what to write instead."""
    with pytest.raises(argparse.ArgumentTypeError, match="write n/m with n from 1 to m"):
        Shard.parse(text)


def test_tests_that_share_a_cluster_are_one_group() -> None:
    """The modules of a folder whose tests share one machine; elsewhere each module."""
    contract = {group_of(f"tests/contract/test_{name}.py::test_a[real]") for name in ("lists", "names")}
    assert contract == {"tests/contract"}
    assert group_of("tests/e2e/test_deploy.py::test_a[x::y]") == "tests/e2e/test_deploy.py"
