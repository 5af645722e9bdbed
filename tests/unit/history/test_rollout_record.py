"""The record of a rollout: what it keeps, how small it stays, and what is not one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fleetcaptain.history.record_retention import KEPT, kept, record_name
from fleetcaptain.history.rollout_record import LONGEST, InstanceRecord, RolloutRecord, limited
from fleetcaptain.untrusted import Unreadable
from tests.unit.history.example_records import DONE


def test_a_record_is_read_as_it_was_written() -> None:
    """All of it."""
    for record in (DONE, replace(DONE, rollback=True)):
        assert RolloutRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    "change",
    [
        {"service": "../db"},
        {"release": "v1\x1b[2J"},
        {"seconds": -1},
        {"seconds": "3"},
        {"serving": [[0, 4], [5, True]]},
        {"serving": [[5, 4], [0, 3]]},
        {"serving": [[0]]},
        {"serving": {}},
        {"instances": {"a/b": {"states": []}}},
        {"instances": {"web@1.service": {"states": [[0, "OLD"]]}}},
        {"instances": []},
        {"wanted": 1e9},
    ],
)
def test_another_value_is_not_a_record(change: dict[str, Any]) -> None:
    """Whoever can write etcd can write anything there."""
    with pytest.raises(Unreadable):
        RolloutRecord.from_json(json.dumps({**DONE.to_data(), **change}))


def test_a_long_record_keeps_what_matters() -> None:
    """An instance's first states and its last one, and the lowest availability."""
    loop = tuple((float(second), ("starting", "failed")[second % 2]) for second in range(40))
    instances = {f"web@{number}.service": InstanceRecord("10.0.0.1", loop) for number in range(100)}
    serving = tuple((float(second), 7 if second == 100 else 90 + second % 2) for second in range(400))
    small = limited(replace(DONE, error="first\nsecond", instances=instances, serving=serving))
    assert len(small.to_json()) <= LONGEST
    assert small.error == "first"
    assert (100.0, 7) in small.serving
    assert len(small.serving) < 70
    assert small.serving[-1] == serving[-1]
    assert small.instances["web@0.service"].states == ((0.0, "starting"), (1.0, "failed"), (39.0, "failed"))
    assert len(small.instances) == 100


def test_a_record_with_too_many_instances_loses_the_last_ones() -> None:
    """It is never larger than allowed."""
    instances = {f"web@{number}.service": InstanceRecord("10.0.0.1", ((0.0, "old"),)) for number in range(2000)}
    small = limited(replace(DONE, instances=instances))
    assert len(small.to_json()) <= LONGEST
    assert "web@0.service" in small.instances


def test_the_last_fifty_records_are_kept() -> None:
    """And the others named, the oldest first."""
    names = [str(number) for number in range(KEPT + 2)]
    assert kept(names) == (tuple(names[2:]), ("0", "1"))
    assert kept(names[:3]) == (("0", "1", "2"), ())


def test_no_two_records_have_one_name() -> None:
    """A rollout that changes nothing takes less than a millisecond on a fast computer."""
    moment = datetime(2030, 1, 2, 3, 4, 5, 678_901, UTC)
    first = record_name(moment)
    assert first == "20300102T030405.678Z"
    assert record_name(moment, [first]) == "20300102T030405.678Z-1"
