"""An app as its units are on a kind of cluster, where its public services are behind a proxy that must see that an
instance leaves before it stops, so that a rollout loses no request. Pure.

On each machine that is the app's proxy (`fleetcaptain.proxy`), which sees a change of the registrations at once. On AWS
a load balancer is before the proxies: it asks each machine for its proxy (see `fleetcaptain/agent/health.sh`), and
counts a machine in or out after some answers in a row. So a proxy that is out of discovery still serves until the
balancer has seen that, and one that came back stays until the balancer has seen that too, before the next one leaves.
"""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.errors import FleetfileError
from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile.public_routes import taken_ports
from fleetcaptain.fleetfile.values import App, ServiceSpec
from fleetcaptain.proxy.proxy_service import proxy_service

__all__ = ["INTERVAL_SEC", "LEAVE_SEC", "PROXY_LEAVE_SEC", "TIMES", "adapted"]

INTERVAL_SEC = 5
"""The time between two health checks, of each of the balancer's nodes. AWS allows 5 to 300."""

TIMES = 2
"""So many equal answers in a row change what a node thinks of a target; AWS allows no fewer."""

# For the answer, and until all nodes use what they saw.
_SPREAD_SEC = 5
LEAVE_SEC = INTERVAL_SEC * TIMES + _SPREAD_SEC
"""The seconds in which every node of the balancer has seen that a proxy came or went."""

PROXY_LEAVE_SEC = 3
"""The seconds in which the proxies of all machines have seen that an instance went: a read of etcd, and a reload."""


def adapted(app: App, kind: str | None) -> App:
    """*app* as its units are on a cluster of *kind* (a `ClusterKind`): with its proxy, if any service is public. A
    deployment and all commands render this. Raises FleetfileError for a public port that a service uses."""
    public = [spec for spec in app.services if spec.public]
    if not public:
        return app
    locations = {spec.name: spec.location for spec in public}
    taken = dict.fromkeys(taken_ports(app))
    if taken:
        heading = f"{app.root / 'Fleetfile.py'} has public services that cannot be deployed; nothing was changed:"
        problems = [f"{locations[name]}: service {name!r}: public: {what}" for name, what in taken]
        raise FleetfileError(heading, problems)
    services = tuple(_leaving(spec, PROXY_LEAVE_SEC) if spec.public else spec for spec in app.services)
    # After the services that it leads to, so that a new route has servers when it begins.
    proxy = replace(proxy_service(app), location=public[0].location, after=tuple(locations))
    if kind == ClusterKind.AWS:
        proxy = _leaving(proxy, LEAVE_SEC, LEAVE_SEC)
    return replace(app, services=(*services, proxy))


def _leaving(spec: ServiceSpec, leave_sec: int, least_healthy_sec: int = 0) -> ServiceSpec:
    """*spec*, which goes on for *leave_sec* after it is out of discovery; its other limits still admit that. An
    instance is healthy after *least_healthy_sec* at the earliest."""
    rollout = spec.rollout
    bake = max(rollout.min_healthy_sec or 0, least_healthy_sec)
    healthy = (rollout.healthy_deadline_sec or 0) + leave_sec
    progress = max(rollout.progress_deadline_sec or 0, healthy + bake)
    times = replace(rollout, min_healthy_sec=bake, healthy_deadline_sec=healthy, progress_deadline_sec=progress)
    return replace(spec, leave_sec=leave_sec, rollout=times)
