"""Taking units out of discovery while they still answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from fleetcaptain.discovery.store import Node
from fleetcaptain.rollout.bluegreen import drain
from fleetcaptain.rollout.cluster import Cluster

KEY = "/fleetcaptain/shop/services/web/web@1.service"


@dataclass
class Renewed:
    """A store in which the key is renewed *renewals* times just after it was read."""

    renewals: int
    value: str = '{"service":"web","unit":"web@1.service"}'
    index: int = 1
    swaps: list[int] = field(default_factory=list)

    def read(self, key: str) -> Node | None:
        """The registration."""
        node = Node(key, self.value, self.index) if key == KEY else None
        if self.renewals:
            self.renewals -= 1
            self.index += 1
        return node

    def swap(self, _key: str, old: Node, value: str, ttl_sec: int) -> bool:
        """Only if nothing changed since."""
        self.swaps.append(ttl_sec)
        if old.index == self.index:
            self.value = value
        return old.index == self.index


def test_a_renewal_in_between_does_not_lose_the_mark() -> None:
    """Without it callers would still be sent to an instance that is about to be removed."""
    store = Renewed(renewals=2)
    cluster: Any = SimpleNamespace(app="shop", store=store)
    drain(cast(Cluster, cluster), "web", ["web@1.service", "web@2.service"], 30)
    assert json.loads(store.value)["draining"]
    assert store.swaps == [150, 150, 150]
