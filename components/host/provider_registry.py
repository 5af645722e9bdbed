"""The provider of each kind of dynamic resource. Kinds are in the state of stacks, so they never change."""

from __future__ import annotations

from components.aws.joined_member import JoinedMemberProvider
from components.aws.readiness import ReadyProvider
from components.cluster.local_provider import LocalMachinesProvider
from components.etcd_readiness import ReadinessProvider
from components.fleet_secrets import SecretsProvider
from components.fleet_task import TaskProvider
from components.fleet_timer import TimerProvider
from components.fleet_unit import RollingUpdateProvider
from components.pinned_image import PinnedImageProvider
from components.registry_logins import LoginsProvider
from components.release_record import RecordProvider
from components.stray_units import StraysProvider

__all__ = ["PROVIDERS"]

PROVIDERS = {
    "ClusterReady": ReadyProvider,
    "JoinedMember": JoinedMemberProvider,
    "LocalMachines": LocalMachinesProvider,
    "Logins": LoginsProvider,
    "PinnedImage": PinnedImageProvider,
    "Readiness": ReadinessProvider,
    "Release": RecordProvider,
    "Secrets": SecretsProvider,
    "Strays": StraysProvider,
    "Task": TaskProvider,
    "Timer": TimerProvider,
    "Unit": RollingUpdateProvider,
}
