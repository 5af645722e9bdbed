"""The rules of a service's own rollouts, for operations between two deployments."""

from __future__ import annotations

from collections.abc import Mapping

from fleetcaptain.discovery.documents import ServiceRelease
from fleetcaptain.release.repository import read_releases
from fleetcaptain.rollout.cluster import Cluster
from fleetcaptain.rollout.model import Policy
from fleetcaptain.rollout.targets import RolloutSettings

__all__ = ["current_services", "one_at_a_time"]


def current_services(cluster: Cluster) -> Mapping[str, ServiceRelease]:
    """Service -> its part of the current release; empty before there is one."""
    releases = read_releases(cluster.store, cluster.app)
    current = releases.named(releases.current)
    return current.services if current else {}


def one_at_a_time(release: ServiceRelease | None, instances: int) -> Policy:
    """The policy of the service's rollouts (the default without a *release*), for one of its *instances* at a time."""
    try:
        policy = RolloutSettings.of(release.rollout).policy(instances) if release else Policy()
    except (KeyError, ValueError, TypeError):
        policy = Policy()  # the record is of another version, or was written by another program
    return Policy(
        min_healthy_sec=policy.min_healthy_sec,
        healthy_deadline_sec=policy.healthy_deadline_sec,
        progress_deadline_sec=policy.progress_deadline_sec,
    )
