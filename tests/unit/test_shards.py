"""Shards: all of them together are the suite, and what shares a cluster stays together."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.shards import SECONDS, Shard, group_of, in_shard, seconds_of


@given(st.lists(st.sampled_from("abcdefgh")), st.integers(1, 5))
def test_every_group_is_in_exactly_one_shard(groups: list[str], count: int) -> None:
    """So that no test is lost, and none runs twice."""
    shards = [in_shard(groups, Shard(number, count)) for number in range(1, count + 1)]
    assert sorted(group for shard in shards for group in shard) == sorted(set(groups))


def test_shards_take_about_as_long_each() -> None:
    """The longest groups are dealt first: by measured seconds, or by their number of tests."""
    modules = {"kills": 13, "releases": 10, "mistakes": 9, "deploy": 8, "faults": 8, "members": 6, "cluster": 6}
    tests = {**modules, "tests/contract": 162}
    groups = [group for group, number in tests.items() for _ in range(number)]
    shards = [in_shard(groups, Shard(number, 3)) for number in (1, 2, 3)]
    seconds = [sum(seconds_of(group, tests[group]) for group in shard) for shard in shards]
    assert max(seconds) - min(seconds) <= seconds_of("x", 5)
    assert seconds_of("tests/contract", 162) < seconds_of("x", 162)


def test_what_was_measured_is_there() -> None:
    """A group that was renamed would count as a short one."""
    for group in SECONDS:
        assert (Path(__file__).parents[2] / group).exists(), group


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
