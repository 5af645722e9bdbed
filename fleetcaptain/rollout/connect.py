"""Connects to a cluster: from its endpoint to a `Cluster`."""

from __future__ import annotations

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.local_endpoint import LocalEndpoint
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.tunnel import Tunnel
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["open_cluster"]


def open_cluster(endpoint: Endpoint | LocalEndpoint, app: str) -> Cluster:
    """The cluster behind *endpoint*, as *app* sees it. No connection is opened before the first request.

    Without SSH no command can run on a machine, so the error of a failed rollout has no journal lines.
    """
    if isinstance(endpoint, LocalEndpoint):
        fleet = FleetClient(Transport(lambda: endpoint.fleet))
        return Cluster(app, fleet, EtcdStore(lambda: endpoint.etcd), lambda *_: None)
    tunnel = Tunnel(endpoint)

    def run(address: str, argv: list[str], timeout_sec: float, text: str = "", /) -> str | None:
        try:
            return tunnel.run(endpoint.to(address), argv, timeout_sec, text).output
        except ClusterUnreachable:
            return None

    fleet = FleetClient(Transport(tunnel.fleet_url, mark_unreachable=tunnel.mark_unreachable))
    store = EtcdStore(tunnel.etcd_url, mark_unreachable=tunnel.mark_unreachable, password=tunnel.etcd_password)
    return Cluster(app, fleet, store, run)
