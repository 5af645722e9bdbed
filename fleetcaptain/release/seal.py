"""The seal of a release: Pulumi's state recognizes by it what it deployed, even if etcd was changed since."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fleetcaptain.discovery.documents import Release, ServiceRelease
from fleetcaptain.mode import Mode

__all__ = ["seal"]


def seal(manifest: Release) -> str:
    """The SHA-256, in hex, of everything that a rollback to *manifest* deploys, without its author and date."""
    services = {name: _sealed(release) for name, release in manifest.services.items()}
    return hashlib.sha256(json.dumps([manifest.tag, services], sort_keys=True).encode()).hexdigest()


def _sealed(release: ServiceRelease) -> dict[str, Any]:
    data = release.to_data()
    # Pulumi's state has all numbers as floats, and a service that runs on every machine grows with the cluster.
    times = {name: float(value) if type(value) is int else value for name, value in release.rollout.items()}
    return {**data, "rollout": times, "instances": release.count if release.mode is not Mode.PER_MACHINE else 0}
