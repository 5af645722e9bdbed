"""An app as its units are on a kind of cluster: behind AWS's load balancer, public services have other times, so that
a rollout loses no request. Pure.

The balancer asks each machine for each public service (see `fleetcaptain/agent/health.sh`), and counts a target in or
out after some answers in a row. So an instance that is out of discovery still serves until the balancer has seen that,
and one that came back stays until the balancer has seen that too, before the next one leaves.
"""

from __future__ import annotations

from dataclasses import replace

from fleetcaptain.fleet.connection import ClusterKind
from fleetcaptain.fleetfile.values import App, ServiceSpec

__all__ = ["INTERVAL_SEC", "LEAVE_SEC", "TIMES", "adapted", "balanced"]

INTERVAL_SEC = 5
"""The time between two health checks, of each of the balancer's nodes. AWS allows 5 to 300."""

TIMES = 2
"""So many equal answers in a row change what a node thinks of a target; AWS allows no fewer."""

# For the answer, and until all nodes use what they saw.
_SPREAD_SEC = 5
LEAVE_SEC = INTERVAL_SEC * TIMES + _SPREAD_SEC
"""The seconds in which every node of the balancer has seen that an instance came or went."""


def adapted(app: App, kind: str | None) -> App:
    """*app* as its units are on a cluster of *kind* (a `ClusterKind`): `balanced` on AWS. A deployment and all commands
    render this."""
    return balanced(app) if kind == ClusterKind.AWS else app


def balanced(app: App) -> App:
    """*app*, whose public services leave the balancer before they stop, and stay until it has them back."""
    return replace(app, services=tuple(_balanced(spec) if spec.public else spec for spec in app.services))


def _balanced(spec: ServiceSpec) -> ServiceSpec:
    rollout = spec.rollout
    bake = max(rollout.min_healthy_sec or 0, LEAVE_SEC)
    healthy = (rollout.healthy_deadline_sec or 0) + LEAVE_SEC
    progress = max(rollout.progress_deadline_sec or 0, healthy + bake)
    times = replace(rollout, min_healthy_sec=bake, healthy_deadline_sec=healthy, progress_deadline_sec=progress)
    return replace(spec, leave_sec=LEAVE_SEC, rollout=times)
