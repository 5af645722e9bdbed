"""What a look at the cluster makes of registrations."""

from __future__ import annotations

from fleetcaptain.discovery.values import Registration
from fleetcaptain.rollout.observed import Snapshot


def test_what_an_app_registers_besides_does_not_hide_its_units_own_service() -> None:
    """A unit may stand in etcd under several names; the rollout and the gate wait for its own."""
    own = Registration("web", "web-abc1234@1.service", "c", "m", "10.0.0.1")
    besides = [Registration(name, own.unit, "c", "m", "10.0.0.1") for name in ("admin", "we", "zebra")]
    for registrations in ([own, *besides], [*besides, own]):
        assert Snapshot.of([], [], [], registrations).registrations == {own.unit: own}
