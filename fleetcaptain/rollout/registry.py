"""Asks registries for images, from a machine of the cluster: it is the machines that have to reach them."""

from __future__ import annotations

from collections.abc import Sequence

from fleetcaptain.release.images import ImageState, probe_argv, probed
from fleetcaptain.rollout.cluster import Cluster

__all__ = ["look_for_images"]

_PROBE_SEC = 60.0


def look_for_images(cluster: Cluster, images: Sequence[str]) -> dict[str, ImageState]:
    """Whether each of *images* is in its registry."""
    output = None
    if images:
        for machine in sorted(cluster.look().machines.values(), key=lambda machine: machine.ip):
            output = cluster.run(machine.ip, probe_argv(images), _PROBE_SEC)
            if output is not None:
                break
    return probed(images, output)
