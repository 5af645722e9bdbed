"""A fleet API on the loopback that answers as fleetd 1.0.0 does. The contract tests hold it against the real one."""

from tests.fakes.fleet.fake_fleet import Cluster, Loaded
from tests.fakes.fleet.fleet_server import DROPPED, LOST, FakeFleet, Fault

__all__ = ["DROPPED", "LOST", "Cluster", "FakeFleet", "Fault", "Loaded"]
