"""Watching a service."""

from __future__ import annotations

import json

import pytest

from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.errors import ClusterUnreachable
from tests.fakes.fake_etcd import FakeEtcd
from tests.unit.discovery_app.app_container import CONTENT, of_the_unit

REDIS = "/fleetcaptain/shop/services/redis"
APP = "/fleetcaptain/shop"


def redis(unit: str, **more: object) -> str:
    """A registration of redis."""
    return of_the_unit("redis", unit, **{"content": "red", **more})


def test_the_present_comes_first_and_then_each_change(etcd: FakeEtcd, identity: Identity) -> None:
    """Nothing, one, two, one that is draining, none."""
    seen = Discovery(identity).watch("redis")
    assert next(seen) == []
    etcd.put(f"{REDIS}/a", redis("a"))
    assert [instance.unit for instance in next(seen)] == ["a"]
    etcd.put(f"{REDIS}/b", redis("b"))
    assert [instance.unit for instance in next(seen)] == ["a", "b"]
    etcd.put(f"{REDIS}/a", redis("a", draining=True))
    assert [instance.unit for instance in next(seen)] == ["b"]
    etcd.remove(f"{REDIS}/b")
    assert next(seen) == []


def test_what_changes_no_lookup_is_passed_over(etcd: FakeEtcd, identity: Identity) -> None:
    """A rollout's journal, another service of a like name: nothing is read again for their sake."""
    seen = Discovery(identity).watch("redis")
    next(seen)
    before = len(etcd.requests)
    etcd.put(f"{APP}/rollouts/redis", "step")
    etcd.put(f"{APP}/services/redis-2/a", of_the_unit("redis-2", "a"))
    passed_over, waiting = etcd.index, etcd._wait

    def then_one_more(key: str, index: int) -> tuple[int, dict[str, object]]:
        if index > passed_over:
            etcd._set(f"{REDIS}/a", redis("a"), None)
        return waiting(key, index)

    etcd._wait = then_one_more  # type: ignore[method-assign]
    assert len(next(seen)) == 1
    assert sum("wait" not in form for _, _, form in etcd.requests[before:]) == 1


def test_a_release_changes_what_is_seen(etcd: FakeEtcd, identity: Identity) -> None:
    """The same registrations mean something else once a manifest names them."""
    etcd.put(f"{REDIS}/a", redis("a", content="old"))
    etcd.put(f"{REDIS}/b", redis("b", content="new"))
    seen = Discovery(identity).watch("redis")
    assert [instance.unit for instance in next(seen)] == ["a", "b"]
    services = {"web": {"content": CONTENT, "instances": 1}, "redis": {"content": "new", "instances": 1}}
    etcd.put(f"{APP}/releases/v1", json.dumps({"tag": "v1", "services": services}))
    assert [instance.unit for instance in next(seen)] == ["b"]


def test_a_release_that_is_coming_changes_what_is_seen(etcd: FakeEtcd, identity: Identity) -> None:
    """The caller's own old release is gone back to: it may use what the newer one still has."""
    etcd.put(f"{REDIS}/a", redis("a", content="new"))
    for tag, web, unit_hash in (("v1", CONTENT, "old"), ("v2", "another", "new")):
        services = {"web": {"content": web, "instances": 1}, "redis": {"content": unit_hash, "instances": 1}}
        etcd.put(f"{APP}/releases/{tag}", json.dumps({"tag": tag, "services": services}))
    etcd.put(f"{APP}/current", "v2")
    seen = Discovery(identity).watch("redis")
    assert next(seen) == []
    before = len(etcd.requests)
    etcd.put(f"{APP}/coming", "v1")
    assert [instance.unit for instance in next(seen)] == ["a"]
    assert sum("wait" in form for _, _, form in etcd.requests[before:]) == 1


def test_more_changes_than_etcd_remembers_are_not_lost(etcd: FakeEtcd, identity: Identity) -> None:
    """Then everything is read again."""
    etcd.history = 2
    seen = Discovery(identity).watch("redis")
    next(seen)
    for number in range(5):
        etcd.put(f"{REDIS}/{number}", redis(str(number)))
    assert len(next(seen)) == 5


def test_it_goes_on_when_etcd_was_away(etcd: FakeEtcd, identity: Identity) -> None:
    """The last list stands meanwhile."""
    passed: list[float] = []
    seen = Discovery(identity, clock=lambda: sum(passed), sleep=passed.append).watch("redis")
    next(seen)
    etcd.put(f"{REDIS}/a", redis("a"))
    etcd.failures = 25
    assert [instance.unit for instance in next(seen)] == ["a"]
    assert etcd.failures == 0


def test_an_etcd_that_is_not_there_is_said_at_once(etcd: FakeEtcd, identity: Identity) -> None:
    """Nothing is known then that could stand."""
    etcd.failures = 1000
    passed: list[float] = []
    with pytest.raises(ClusterUnreachable):
        next(Discovery(identity, clock=lambda: sum(passed), sleep=passed.append).watch("redis"))
