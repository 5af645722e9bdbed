"""From the way into a cluster to a `Cluster` that answers."""

from __future__ import annotations

import time

from fleetcaptain.discovery.etcd_store import EtcdStore
from fleetcaptain.errors import ClusterUnreachable
from fleetcaptain.fleet.fleet_client import FleetClient
from fleetcaptain.fleet.local_endpoint import Direct
from fleetcaptain.fleet.ssh import Endpoint
from fleetcaptain.fleet.transport import Transport
from fleetcaptain.fleet.tunnel import Tunnel
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.securing.securing import Operator

__all__ = ["operate", "reach"]


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
    store = EtcdStore(tunnel.etcd_url, leave=tunnel.leave, password=tunnel.etcd_password)
    return Cluster(app, fleet, store, run)


def operate(way: Endpoint) -> Operator:
    """The cluster behind *way*, as its operator reaches it. Nothing is opened before the first question."""
    tunnel, passwords = Tunnel(way), [""]
    return Operator(
        FleetClient(Transport(tunnel.fleet_url, leave=tunnel.leave)),
        EtcdStore(tunnel.etcd_url, leave=tunnel.leave, password=lambda: passwords[-1] or tunnel.etcd_password()),
        tunnel.run,
        way.to,
        way.hosts,
        passwords.append,
        time.monotonic,
        time.sleep,
    )
