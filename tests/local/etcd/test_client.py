"""Watching, in a real etcd: what the pretended one promises is what it does."""

from __future__ import annotations

import pytest

from fleetcaptain.discovery.client import Discovery
from fleetcaptain.discovery.identity import Identity
from fleetcaptain.discovery.keys_api import KeysApi


@pytest.fixture
def redis(etcd_url: str, request: pytest.FixtureRequest) -> Discovery:
    """A unit of redis, of an app named after the test."""
    name = request.node.name.replace("_", "-")
    told = {"APP": name, "SERVICE": "redis", "UNIT": "redis@1.service", "MACHINE": "m", "HOST": "10.0.0.1"}
    told |= {"KEY": f"/fleetcaptain/{name}/services/redis/redis@1.service", "ETCD": etcd_url}
    return Discovery(Identity.from_environment({f"FLEETCAPTAIN_{key}": value for key, value in told.items()}))


def test_changes_come_one_after_the_other(redis: Discovery) -> None:
    """Also before anything of the app is in etcd; a renewal is no change."""
    seen = redis.watch("redis")
    assert next(seen) == []
    lease = redis.register("redis", {"port": 1})
    assert [instance.address for instance in next(seen)] == ["10.0.0.1:1"]
    lease.renew()
    redis.announce("redis", {"port": 2})
    assert [instance.address for instance in next(seen)] == ["10.0.0.1:2"]
    redis.unregister("redis")
    assert next(seen) == []


def test_more_changes_than_etcd_remembers(redis: Discovery, etcd_url: str) -> None:
    """It remembers 1000; a watch that fell behind reads everything again."""
    seen = redis.watch("redis")
    next(seen)
    api = KeysApi(etcd_url)
    redis.announce("redis", {"port": 1})
    for number in range(1001):
        api.put("/elsewhere", str(number), 60)
    assert [instance.address for instance in next(seen)] == ["10.0.0.1:1"]
