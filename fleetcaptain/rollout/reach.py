"""From the way into a cluster to a `Cluster` that answers."""

from __future__ import annotations

from fleetcaptain.discovery.store import EtcdStore
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.client import FleetClient
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.tunnel import Tunnel
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["reach"]


def reach(endpoint: Endpoint, app: str) -> Cluster:
    """The cluster behind *endpoint*, as *app* sees it. Nothing is opened before the first question."""
    tunnel = Tunnel(endpoint)
    user = endpoint.hosts[0].partition("@")[0]

    def run(address: str, argv: list[str], timeout_sec: float) -> str | None:
        try:
            return tunnel.run(f"{user}@{address}", argv, timeout_sec).output
        except ClusterUnreachable:
            return None

    return Cluster(app, FleetClient(Transport(tunnel.fleet_url, leave=tunnel.leave)), EtcdStore(tunnel.etcd_url), run)
