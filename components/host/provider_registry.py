"""The provider of each kind of dynamic resource. A kind is in the state of stacks, so it never changes."""

from __future__ import annotations

from components.cluster.aws.ready import ReadyProvider
from components.cluster.provider import LocalMachinesProvider
from components.pinned_image import PinnedImageProvider
from components.readiness import ReadinessProvider
from components.record import RecordProvider
from components.strays import StraysProvider
from components.unit import RollingUpdateProvider

__all__ = ["PROVIDERS"]

PROVIDERS = {
    "ClusterReady": ReadyProvider,
    "LocalMachines": LocalMachinesProvider,
    "PinnedImage": PinnedImageProvider,
    "Readiness": ReadinessProvider,
    "Release": RecordProvider,
    "Strays": StraysProvider,
    "Unit": RollingUpdateProvider,
}
