"""What a preview says of an update: what happens, how many serve at least, and how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from fleetcaptain.rollout.expected_duration import expected_update, format_expected
from tests.unit.history.example_records import DONE, FAILED, KILLED

OLD: Mapping[str, Any] = {
    "service": "web",
    "unit": "[Service]\nExecStart=/bin/old\n",
    "image": "shop@sha256:1",
    "instances": 4,
    "mode": "rolling",
    "state": "launched",
    "rollout": {"max_parallel": 1},
    "units": ["web@1.service", "web@2.service", "web@3.service", "web@4.service"],
    "machines": ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
}
NEW: Mapping[str, Any] = {**OLD, "image": "shop@sha256:2"}
NO_RECORD = "; no record yet of how long it takes"


def said(olds: Mapping[str, Any], news: Mapping[str, Any], *records: Any) -> str:
    """What the preview says."""
    update = expected_update(olds, news)
    assert update is not None
    return format_expected(update, records)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ({}, {}, "4 instances, one at a time, never fewer than 3 of 4 serve"),
        ({}, {"image": pulumi.UNKNOWN}, "4 instances, one at a time, never fewer than 3 of 4 serve"),
        (
            {},
            {"rollout": {"max_parallel": "50%"}},
            "4 instances, the first one alone, then 2 at a time, never fewer than 2 of 4 serve",
        ),
        ({"instances": 1}, {"instances": 1}, "1 instance, replaced in place: none serves meanwhile"),
        ({}, {"instances": 2}, "2 instances, one at a time, never fewer than 2 of 4 serve"),
        ({}, {"instances": 8}, "8 instances, one at a time, never fewer than 3 of 4 serve"),
        (
            {"mode": "bluegreen"},
            {"mode": "bluegreen"},
            "4 instances, started beside the old, never fewer than 4 of 4 serve",
        ),
        ({"mode": "everywhere"}, {"mode": "everywhere"}, "replaced on 3 machines at once"),
        ({"mode": "global"}, {"mode": "global"}, "4 instances, one at a time, never fewer than 3 of 4 serve"),
        ({}, {"image": OLD["image"], "instances": 6}, "2 more, the 4 present ones stay"),
        ({}, {"image": OLD["image"], "instances": 1}, "3 fewer, 1 stay"),
        (
            {"state": "web@1.service inactive"},
            {"image": OLD["image"]},
            "started again where it does not run (web@1.service inactive)",
        ),
    ],
)
def test_what_an_update_does(old: dict[str, Any], new: dict[str, Any], what: str) -> None:
    """In one sentence, with the lowest availability."""
    assert said({**OLD, **old}, {**NEW, **new}) == f"web: {what}{NO_RECORD}"


def test_an_update_that_changes_no_instance_is_not_described() -> None:
    """Such as other times of the rollout."""
    assert expected_update(OLD, {**OLD, "rollout": {"max_parallel": 2}, "adopt": ["x"]}) is None


def test_the_expected_duration_is_that_of_the_last_three_rollouts() -> None:
    """The one in the middle, so that one slow rollout does not count; scaled from two instances to four."""
    records = [replace(DONE, seconds=seconds) for seconds in (1000.0, 38.0, 41.0, 300.0)]
    two = {"instances": 2}
    assert said({**OLD, **two}, {**NEW, **two}, *records).endswith("; about 40 s (last 3 rollouts)")
    assert said(OLD, NEW, *records).endswith("; about 1 min 20 s (last 3 rollouts)")
    assert said(OLD, NEW, *records[1:2]).endswith("; about 1 min 15 s (last rollout)")
    at_once = {"rollout": {"max_parallel": 3}}
    assert said(OLD, {**NEW, **at_once}, *records).endswith("; about 40 s (last 3 rollouts)")


@pytest.mark.parametrize(("bake", "took"), [(10, "50 s"), (2, "1 min 20 s"), (900, "8 s")])
def test_a_rollback_is_expected_to_be_as_quick_as_its_short_bake(bake: int, took: str) -> None:
    """Four instances one after the other, whose recorded rollout took 80 s."""
    update = expected_update(OLD, {**NEW, "rollout": {"max_parallel": 1, "min_healthy_sec": bake}}, rollback=True)
    assert update is not None
    records = [replace(DONE, seconds=40.0)]
    assert format_expected(update, records).endswith(f"; about {took} (last rollout)")


def test_rollouts_that_tell_nothing_do_not_count() -> None:
    """Failed and interrupted ones, those of another strategy, those that started nothing, and the first version."""
    idle = replace(
        DONE, instances={name: replace(one, states=((0.0, "done"),)) for name, one in DONE.instances.items()}
    )
    others = (
        FAILED,
        KILLED,
        replace(DONE, strategy="restart"),
        replace(DONE, state="rolling"),
        replace(DONE, before=()),
        idle,
    )
    assert said(OLD, NEW, *others).endswith(NO_RECORD)
