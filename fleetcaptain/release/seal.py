"""The seal of a release: by it Pulumi's state knows again what it deployed, whatever was written into etcd since."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fleetcaptain.discovery.documents import Release, ServiceRelease

__all__ = ["seal"]


def seal(manifest: Release) -> str:
    """The SHA-256, in hex, of all that going back to *manifest* deploys. Who recorded it, and when, is not in it."""
    services = {name: _sealed(release) for name, release in manifest.services.items()}
    return hashlib.sha256(json.dumps([manifest.tag, services], sort_keys=True).encode()).hexdigest()


def _sealed(release: ServiceRelease) -> dict[str, Any]:
    data = release.to_data()
    # Pulumi's state has all numbers as fractions, and a service of every machine grows with the cluster.
    times = {name: float(value) if type(value) is int else value for name, value in release.rollout.items()}
    return {**data, "rollout": times, "instances": release.count if release.mode != "global" else 0}
