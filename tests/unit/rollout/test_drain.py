"""Taking units out of discovery while they still answer."""

from __future__ import annotations

import pytest

from fleetcaptain.rollout.retire import drain
from tests.fakes.fake_cluster import FakeCluster, text_of

KEY = "/fleetcaptain/shop/services/web/web@1.service"


def test_a_renewal_in_between_does_not_lose_the_mark() -> None:
    """Without it callers would still be sent to an instance that is about to be removed."""
    cluster = FakeCluster({"web@1.service": text_of("web")})
    cluster.etcd.lose = 2
    drain(cluster, "web", ["web@1.service", "web@2.service"], 150)
    assert cluster.etcd.value(KEY)["draining"]
    swaps = [(key, form["ttl"]) for _, key, form in cluster.etcd.writes if "prevIndex" in form]
    assert swaps == [(KEY, "150")] * 3


@pytest.mark.parametrize("value", ["note", "", "[" * 200_000])
def test_a_value_that_is_no_registration_goes(value: str) -> None:
    """It cannot be marked, and nothing may stop an old generation from being retired."""
    cluster = FakeCluster({"web@1.service": text_of("web")})
    cluster.store.write(KEY, value)
    drain(cluster, "web", ["web@1.service"], 30)
    assert cluster.store.read(KEY) is None
