"""From the way into a cluster to a `Cluster` that answers."""

from __future__ import annotations

from fleetcaptain.discovery.store import EtcdStore
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.client import FleetClient
from fleetcaptain.fleet.direct import Direct
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.tunnel import Tunnel
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["reach"]


def reach(way: Endpoint | Direct, app: str) -> Cluster:
    """The cluster behind *way*, as *app* sees it. Nothing is opened before the first question.

    Without ssh no command reaches a machine: a failed rollout is then told without the lines of its journal.
    """
    if isinstance(way, Direct):
        fleet = FleetClient(Transport(lambda: way.fleet))
        return Cluster(app, fleet, EtcdStore(lambda: way.etcd), lambda *_: None)
    tunnel = Tunnel(way)

    def run(address: str, argv: list[str], timeout_sec: float) -> str | None:
        try:
            return tunnel.run(way.to(address), argv, timeout_sec).output
        except ClusterUnreachable:
            return None

    fleet = FleetClient(Transport(tunnel.fleet_url, leave=tunnel.leave))
    return Cluster(app, fleet, EtcdStore(tunnel.etcd_url, leave=tunnel.leave), run)
